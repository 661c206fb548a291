//! SIGKILL of a server, of its worker, of both, before each step that makes something durable or visible.
//!
//! The suite kills at seeded steps spread over a first cycle that promotes, a warm-started one, a rejected one and one
//! whose model is held. `WALKFORWARD_KILL_STEPS=all cargo test --workspace --test walkforward kill_steps` kills at every
//! one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, mpsc};

use nix::errno::Errno;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use walkforward_store::CycleStatus;

use crate::serve::ALWAYS;
use crate::support::consistency::{expect_agreement, expect_tidy_jobs};
use crate::support::server::Server;
use crate::support::tracer::{Tracer, Victim, Watched};
use crate::support::{GOOD_METRICS, SMALL, World};

/// Kills of the server that the suite makes in each kind of cycle.
const SEEDED: usize = 2;
/// Kills of a worker, and likewise of both.
const SEEDED_OF_WORKERS: usize = 1;
/// Worlds in which kills go on at once: as many as the machines that run this have cores.
const AT_ONCE: usize = 2;
const ENDS: &[&str] = &["continuous_cycle_complete", "continuous_cycle_failed", "continuous_cycle_skipped"];

/// What kind of cycle is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The first one of a schedule.
    First,
    /// One that continues from a champion.
    WarmStarted,
    Rejected,
    Held,
}

const KINDS: &[Kind] = &[Kind::First, Kind::WarmStarted, Kind::Rejected, Kind::Held];

/// A kill: who, in which kind of cycle, before which of the steps.
#[derive(Debug, Clone, Copy)]
struct Kill {
    kind: Kind,
    victim: Victim,
    step: usize,
}

/// A world with a schedule that is about to have such a cycle.
struct Scene {
    kind: Kind,
    world: World,
    /// What begins the next cycle.
    begin: &'static str,
}

impl Scene {
    fn new(kind: Kind) -> Self {
        let world = World::new();
        let more = match kind {
            Kind::First | Kind::WarmStarted => ALWAYS,
            Kind::Rejected => ("MIN_WIN_RATE", "0.9"),
            Kind::Held => ("WALKFORWARD_AUTO_DEPLOY", "false"),
        };
        let args = [&["schedules", "add", "btc", "--quiet", "--every", "24h", "--idle"], SMALL].concat();
        world.orchestrate(&args, &[GOOD_METRICS, &[ALWAYS, more]].concat()).expect_code(0);
        let mut scene = Self { kind, world, begin: "start" };
        if kind != Kind::First {
            // Whether it may be watched is found out by others.
            let _ = scene.watch(Victim::Server, None);
            scene.begin = "trigger";
        }
        scene
    }

    /// Runs a cycle in a server until the victim is killed before step `kill_at`, or to its end; a server that was
    /// killed is started once more. Nobody is at work any more then.
    fn watch(&self, victim: Victim, kill_at: Option<usize>) -> Result<Watched, Errno> {
        let mut server = Server::start(&self.world, &[]);
        let (pid, follower) = (server.pid(), server.follower());
        let (attached, when_attached) = mpsc::channel();
        let watched = std::thread::scope(|scope| {
            let watching = scope.spawn(move || {
                let tracer = Tracer::attach(pid, &self.world.path("."), victim, kill_at);
                attached.send(tracer.as_ref().err().copied()).unwrap();
                Ok(tracer?.watch(|| ENDS.iter().any(|end| follower.has_seen(end))))
            });
            if when_attached.recv() == Ok(None) {
                // It may lose its server in the middle.
                self.world.orchestrate(&["schedules", self.begin, "btc", "--quiet"], &[]);
            }
            watching.join().unwrap()
        })?;
        if watched.killed.is_some() && victim != Victim::Worker {
            server.stop(Signal::KILL);
            server = Server::start(&self.world, &[]);
        }
        server.stop_well();
        Ok(watched)
    }
}

/// Scenes in which all was well, for further kills.
#[derive(Default)]
struct Scenes(Mutex<Vec<Scene>>);

impl Scenes {
    fn take(&self, kind: Kind) -> Scene {
        let mut scenes = self.0.lock().unwrap();
        let found = scenes.iter().position(|scene| scene.kind == kind);
        let found = found.map(|index| scenes.swap_remove(index));
        drop(scenes);
        found.unwrap_or_else(|| Scene::new(kind))
    }

    fn give_back(&self, scene: Scene) {
        if scene.kind != Kind::First {
            self.0.lock().unwrap().push(scene);
        }
    }

    /// Every kill that a cycle of this kind has room for, as it goes when nobody is killed.
    fn all_kills(&self, kind: Kind) -> Result<Vec<Kill>, Errno> {
        let scene = self.take(kind);
        let steps = scene.watch(Victim::Server, None)?.steps;
        expect_agreement(&scene.world);
        self.give_back(scene);
        // Who judges comes after the worker, which is the same in every first cycle.
        let has_own_worker = [Kind::First, Kind::WarmStarted].contains(&kind);
        let of_workers = steps.iter().filter(|step| has_own_worker && step.is_workers).count();
        let counts =
            [(Victim::Server, steps.len()), (Victim::Worker, of_workers), (Victim::Both, of_workers)];
        let kills = |(victim, count)| (0..count).map(move |step| Kill { kind, victim, step });
        Ok(counts.into_iter().flat_map(kills).collect())
    }

    /// Kills and checks; whether there was such a step.
    fn kill(&self, kill: Kill) -> Result<bool, String> {
        let scene = self.take(kill.kind);
        let watched = catch_unwind(AssertUnwindSafe(|| scene.watch(kill.victim, Some(kill.step)).unwrap()));
        let watched = watched.map_err(|_| format!("{kill:?}"))?;
        let checked = catch_unwind(AssertUnwindSafe(|| expect_agreement(&scene.world)));
        let before = watched.killed.map(|step| step.what);
        checked.map_err(|_| format!("{kill:?} before '{before:?}'"))?;
        self.give_back(scene);
        Ok(before.is_some())
    }

    /// After all kills the next cycle comes to its end.
    fn expect_to_go_on(self) {
        for scene in self.0.into_inner().unwrap() {
            scene.watch(Victim::Server, None).unwrap();
            let cycles = expect_agreement(&scene.world);
            let outcome = match scene.kind {
                Kind::First | Kind::WarmStarted => CycleStatus::Promoted,
                Kind::Rejected => CycleStatus::Rejected,
                Kind::Held => CycleStatus::Held,
            };
            assert_eq!(cycles.last().map(|cycle| cycle.status), Some(outcome));
            expect_tidy_jobs(&scene.world);
        }
    }
}

/// Does `work` with each of `items` on [`AT_ONCE`] threads.
fn on_threads<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (waiting, done) = (Mutex::new(items.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(item) = { waiting.lock().unwrap().next() } {
                    let result = work(item);
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// `count` of the kills of each victim, spread over the cycle.
fn seeded(kills: &[Kill], random: &mut impl Rng) -> Vec<Kill> {
    let of = |victim| kills.iter().filter(move |kill| kill.victim == victim).copied().collect::<Vec<_>>();
    let victims =
        [(Victim::Server, SEEDED), (Victim::Worker, SEEDED_OF_WORKERS), (Victim::Both, SEEDED_OF_WORKERS)];
    let mut chosen = Vec::new();
    for (victim, count) in victims {
        let all = of(victim);
        for part in all.chunks(all.len().div_ceil(count).max(1)) {
            chosen.push(part[random.random_range(0..part.len())]);
        }
    }
    chosen
}

#[test]
fn a_server_or_a_worker_that_dies_before_any_step_leaves_what_the_next_start_makes_whole() {
    let is_all = std::env::var("WALKFORWARD_KILL_STEPS").is_ok_and(|which| which == "all");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(9);
    let scenes = Scenes::default();
    let mut kills = Vec::new();
    for found in on_threads(KINDS, |kind| scenes.all_kills(*kind)) {
        match found {
            Ok(all) if is_all => kills.extend(all),
            Ok(all) => kills.extend(seeded(&all, &mut random)),
            Err(error) => {
                return eprintln!("skipped: kill_steps needs ptrace, which is not allowed here ({error})");
            }
        }
    }
    kills.shuffle(&mut random);
    let done = on_threads(&kills, |kill| scenes.kill(*kill));
    scenes.expect_to_go_on();
    let killed = done.iter().filter(|done| **done == Ok(true)).count();
    let failed: Vec<&String> = done.iter().filter_map(|done| done.as_ref().err()).collect();
    eprintln!("{} kills planned, {killed} made and mended, {} failed", kills.len(), failed.len());
    // A cycle may have a few steps less than the one that was counted.
    assert!(failed.is_empty() && killed > kills.len() / 2, "{failed:#?}");
}
