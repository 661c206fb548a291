//! The gradient of PPO's loss over a minibatch: forward, loss and backward pass, block by block.
//!
//! A minibatch is cut into chunks whose number depends on its rows alone. Each chunk sums its blocks in order into a
//! gradient of its own, and the chunks' gradients are added in order; so threads share the work without reaching the
//! bits.

use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::actor_critic::{Activations, ActorCriticNet, BLOCK_ROWS, Rows, forward_block};
use crate::aligned::AlignedVec;
use crate::error::{Error, check_len};
use crate::gemm::{LANES, Left, Sizes, Start, lanes, lanes_mut, multiply};
use crate::isa::multiversion;
use crate::layout::{Across, Layer};
use crate::ppo::{PpoFigures, PpoLoss, Targets, loss_block};
use crate::simd::Simd;

/// Rows for which a chunk, and so perhaps a thread, is worth its while.
const CHUNK_ROWS: usize = 512;
/// Most chunks of a minibatch, and so most threads that can share one.
const MAX_CHUNKS: usize = 16;
/// Added to the deviation of advantages.
const ADVANTAGE_EPS: f64 = 1e-8;

/// A rollout, row by row, and the rows of it that make a minibatch.
#[derive(Debug, Clone, Copy)]
pub struct PpoBatch<'a> {
    /// `[all rows, inputs]`.
    pub observations: &'a [f32],
    /// `[all rows]`.
    pub actions: &'a [u32],
    /// Log-probabilities of the actions when they were taken, `[all rows]`.
    pub log_probs: &'a [f32],
    /// `[all rows]`.
    pub advantages: &'a [f32],
    /// `[all rows]`.
    pub returns: &'a [f32],
    /// Values when the actions were taken, `[all rows]`.
    pub values: &'a [f32],
    /// Indices of the minibatch's rows.
    pub rows: &'a [u32],
}

/// Room for gradients of one network; kept between minibatches, so that nothing is allocated in a training's loop.
#[derive(Debug, Clone)]
pub struct PpoWorkspace {
    /// The sum over all chunks, in the padded order of the network.
    total: AlignedVec,
    chunks: Vec<Chunk>,
    workers: Vec<Worker>,
}

/// What one chunk came to.
#[derive(Debug, Clone)]
struct Chunk {
    gradient: AlignedVec,
    figures: PpoFigures,
}

/// Room for one block of one thread.
#[derive(Debug, Clone)]
struct Worker {
    /// `[rows, padded inputs]`.
    x: AlignedVec,
    actor: Activations,
    critic: Activations,
    d_actor: Activations,
    d_critic: Activations,
}

impl Worker {
    fn new(net: &ActorCriticNet) -> Self {
        let room = |layers: &[Layer]| Activations::new(layers);
        Self {
            x: AlignedVec::zeros(BLOCK_ROWS * crate::gemm::padded(net.shape.inputs)),
            actor: room(&net.layout.actor),
            critic: room(&net.layout.critic),
            d_actor: room(&net.layout.actor),
            d_critic: room(&net.layout.critic),
        }
    }
}

/// `A -> (A - mean) * scale` in a minibatch.
#[derive(Debug, Clone, Copy)]
struct Scaling {
    mean: f64,
    scale: f64,
}

impl PpoWorkspace {
    /// Room for `net` on at most `threads` threads.
    pub fn new(net: &ActorCriticNet, threads: usize) -> Self {
        Self {
            total: AlignedVec::zeros(net.layout.len),
            chunks: Vec::new(),
            workers: vec![Worker::new(net); threads.clamp(1, MAX_CHUNKS)],
        }
    }

    /// The gradient that was computed last, for clipping and [`ActorCriticNet::adam_step`].
    pub fn gradient(&mut self) -> &mut [f32] {
        &mut self.total
    }

    /// The gradient that was computed last, in flat order.
    ///
    /// # Errors
    /// When it belongs to another network.
    pub fn flat_gradient(&self, net: &ActorCriticNet) -> Result<Vec<f32>, Error> {
        check_len("the gradient", self.total.len(), net.layout.len)?;
        Ok(net.flatten(&self.total))
    }
}

impl ActorCriticNet {
    /// Writes the gradient of `loss` over the minibatch into `workspace` and gives the minibatch's figures. The bits
    /// depend neither on the workspace's number of threads nor on the instruction set.
    ///
    /// # Errors
    /// When a length does not fit, a row is not there, or the workspace belongs to another network.
    pub fn ppo_gradient(
        &self,
        batch: &PpoBatch<'_>,
        loss: &PpoLoss,
        workspace: &mut PpoWorkspace,
    ) -> Result<PpoFigures, Error> {
        self.check_batch(batch)?;
        check_len("the workspace", workspace.total.len(), self.layout.len)?;
        let scaling = if loss.norm_adv { scaling(batch) } else { Scaling { mean: 0.0, scale: 1.0 } };
        let count = (batch.rows.len() / CHUNK_ROWS).clamp(1, MAX_CHUNKS);
        let fresh = || Chunk { gradient: AlignedVec::zeros(self.layout.len), figures: PpoFigures::default() };
        workspace.chunks.resize_with(count, fresh);
        let work = ChunkWork { net: self, batch, loss, scaling, count };
        work.run(&mut workspace.chunks, &mut workspace.workers);
        let mut figures = PpoFigures::default();
        let weight = 1.0 / batch.rows.len() as f64;
        for (index, chunk) in workspace.chunks.iter().enumerate() {
            add_chunk(self.isa, &mut workspace.total, &chunk.gradient, index == 0);
            figures.add(&chunk.figures, weight);
        }
        Ok(figures)
    }

    fn check_batch(&self, batch: &PpoBatch<'_>) -> Result<(), Error> {
        let rows = batch.actions.len();
        check_len("the observations", batch.observations.len(), rows * self.shape.inputs)?;
        check_len("the log-probabilities", batch.log_probs.len(), rows)?;
        check_len("the advantages", batch.advantages.len(), rows)?;
        check_len("the returns", batch.returns.len(), rows)?;
        check_len("the values", batch.values.len(), rows)?;
        match batch.rows.iter().max() {
            None => Err(Error::Empty { what: "rows in the minibatch" }),
            Some(&row) if row as usize >= rows => {
                Err(Error::Length { what: "the rollout", expected: row as usize + 1, actual: rows })
            }
            Some(_) => Ok(()),
        }
    }
}

/// Mean and deviation of the minibatch's advantages, summed in `f64` in row order.
fn scaling(batch: &PpoBatch<'_>) -> Scaling {
    let advantages = || batch.rows.iter().map(|&row| f64::from(batch.advantages[row as usize]));
    let count = batch.rows.len() as f64;
    let mean = advantages().sum::<f64>() / count;
    let squares = advantages().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
    Scaling { mean, scale: 1.0 / (deviation + ADVANTAGE_EPS) }
}

#[derive(Clone, Copy)]
struct ChunkWork<'a> {
    net: &'a ActorCriticNet,
    batch: &'a PpoBatch<'a>,
    loss: &'a PpoLoss,
    scaling: Scaling,
    count: usize,
}

impl ChunkWork<'_> {
    /// Each thread, the calling one among them, takes the next chunk until none is left: one that gets no processor
    /// holds the others up by no more than its own chunk.
    fn run(self, chunks: &mut [Chunk], workers: &mut [Worker]) {
        let threads = workers.len().min(chunks.len());
        let queue = Mutex::new(chunks.iter_mut().enumerate());
        let mut workers = workers.iter_mut().take(threads);
        let Some(own) = workers.next() else { return };
        thread::scope(|scope| {
            for worker in workers {
                scope.spawn(|| self.take_chunks(&queue, worker));
            }
            self.take_chunks(&queue, own);
        });
    }

    fn take_chunks<'c>(
        self,
        queue: &Mutex<impl Iterator<Item = (usize, &'c mut Chunk)>>,
        worker: &mut Worker,
    ) {
        // A poisoned lock still guards a queue that is whole: the panic happened in a chunk.
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some((index, chunk)) = next() {
            chunk.gradient.fill(0.0);
            chunk.figures = PpoFigures::default();
            run_chunk(self.net.isa, self, self.rows_of(index), worker, chunk);
        }
    }

    /// The rows of chunk `index`: whole blocks, but for the last.
    fn rows_of(&self, index: usize) -> &[u32] {
        let rows = self.batch.rows;
        let blocks = rows.len().div_ceil(BLOCK_ROWS);
        let bound = |index: usize| (index * blocks / self.count * BLOCK_ROWS).min(rows.len());
        &rows[bound(index)..bound(index + 1)]
    }
}

multiversion! {
    fn run_chunk = chunk_gradient(work: ChunkWork<'_>, rows: &[u32], worker: &mut Worker, chunk: &mut Chunk);
    fn add_chunk = add_gradient(total: &mut [f32], part: &[f32], is_first: bool);
}

#[inline(always)]
fn add_gradient<S: Simd>(_simd: S, total: &mut [f32], part: &[f32], is_first: bool) {
    if is_first {
        return total.copy_from_slice(part);
    }
    for (sum, &x) in total.iter_mut().zip(part) {
        *sum += x;
    }
}

#[inline(always)]
fn chunk_gradient<S: Simd>(
    simd: S,
    work: ChunkWork<'_>,
    rows: &[u32],
    worker: &mut Worker,
    chunk: &mut Chunk,
) {
    let ChunkWork { net, loss, .. } = work;
    let stride = crate::gemm::padded(net.shape.inputs);
    let Worker { x, actor, critic, d_actor, d_critic } = worker;
    for block in rows.chunks(BLOCK_ROWS) {
        let targets = gather(work, block, x);
        let x = Rows { numbers: x, stride, count: block.len() };
        forward_block(simd, net, &net.layout.actor, x, actor);
        forward_block(simd, net, &net.layout.critic, x, critic);
        let (Some(d_logits), Some(d_values)) = (d_actor.0.last_mut(), d_critic.0.last_mut()) else { return };
        let logits = (actor.last(), net.shape.actions);
        loss_block(loss, &targets, logits, critic.last(), d_logits, d_values, &mut chunk.figures);
        backward_block(simd, net, &net.layout.actor, x, actor, d_actor, &mut chunk.gradient);
        backward_block(simd, net, &net.layout.critic, x, critic, d_critic, &mut chunk.gradient);
    }
}

/// Copies the rows of a block together.
#[inline(always)]
fn gather(work: ChunkWork<'_>, block: &[u32], x: &mut [f32]) -> Targets {
    let ChunkWork { batch, scaling, .. } = work;
    let inputs = work.net.shape.inputs;
    let zeros = [0.0; BLOCK_ROWS];
    let mut targets = Targets {
        rows: block.len(),
        actions: [0; BLOCK_ROWS],
        log_probs: zeros,
        advantages: zeros,
        returns: zeros,
        old_values: zeros,
        weight: 1.0 / batch.rows.len() as f32,
    };
    for ((slot, &row), x) in block.iter().enumerate().zip(x.chunks_exact_mut(crate::gemm::padded(inputs))) {
        let row = row as usize;
        x[..inputs].copy_from_slice(&batch.observations[row * inputs..(row + 1) * inputs]);
        targets.actions[slot] = batch.actions[row];
        targets.log_probs[slot] = batch.log_probs[row];
        let advantage = f64::from(batch.advantages[row]);
        targets.advantages[slot] = ((advantage - scaling.mean) * scaling.scale) as f32;
        targets.returns[slot] = batch.returns[row];
        targets.old_values[slot] = batch.values[row];
    }
    targets
}

/// From the gradient at the outputs, which `deltas` ends with, to that of every parameter, added to `gradient`.
#[inline(always)]
fn backward_block<S: Simd>(
    simd: S,
    net: &ActorCriticNet,
    layers: &[Layer],
    x: Rows<'_>,
    values: &Activations,
    deltas: &mut Activations,
    gradient: &mut [f32],
) {
    for (index, layer) in layers.iter().enumerate().rev() {
        let (before, after) = deltas.0.split_at_mut(index);
        let Some(delta) = after.first() else { return };
        let input = match index.checked_sub(1) {
            Some(previous) => Rows { numbers: &values.0[previous], stride: layer.in_width(), count: x.count },
            None => x,
        };
        weight_gradient(simd, layer, input, delta, gradient);
        if let Some(d_input) = before.last_mut() {
            let width = layer.in_width();
            let sizes = Sizes { m: x.count, k: layer.outputs, vectors: width / LANES };
            let left = Left::Rows { numbers: delta, stride: layer.out_width() };
            multiply(simd, sizes, left, net.backward_weight(layer), Start::Zero, d_input);
            let slopes = lanes_mut(&mut d_input[..x.count * width]);
            for (d, h) in slopes.iter_mut().zip(lanes(input.numbers)) {
                simd.store(simd.times_slope(simd.load(d), simd.load(h)), d);
            }
        }
    }
}

/// Adds `input^T delta` and the column sums of `delta`.
#[inline(always)]
fn weight_gradient<S: Simd>(simd: S, layer: &Layer, input: Rows<'_>, delta: &[f32], gradient: &mut [f32]) {
    let (in_width, out_width, rows) = (layer.in_width(), layer.out_width(), input.count);
    let weight = &mut gradient[layer.weight..layer.weight + layer.weight_len()];
    match layer.across {
        Across::Outputs => {
            let sizes = Sizes { m: layer.inputs, k: rows, vectors: out_width / LANES };
            let left = Left::Columns { numbers: input.numbers, stride: in_width };
            multiply(simd, sizes, left, delta, Start::Existing, weight);
        }
        Across::Inputs => {
            let sizes = Sizes { m: layer.outputs, k: rows, vectors: in_width / LANES };
            let left = Left::Columns { numbers: delta, stride: out_width };
            multiply(simd, sizes, left, input.numbers, Start::Existing, weight);
        }
    }
    let bias = lanes_mut(&mut gradient[layer.bias..layer.bias + out_width]);
    for row in lanes(&delta[..rows * out_width]).chunks_exact(bias.len()) {
        for (sums, values) in bias.iter_mut().zip(row) {
            simd.store(simd.add(simd.load(sums), simd.load(values)), sums);
        }
    }
}
