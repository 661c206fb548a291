//! What somebody tells a session, and what it says to that.

use walkforward_core::{Asker, ControlCommand, ControlError, ErrorKind, Reason};

use super::run::Runner;
use crate::control::Told;
use crate::journal::{Asked, EventRecord};
use crate::{Command, ConditionSource, LiveError, Restriction, TradingMode};

/// Why a pause ends: whoever asks for that gives no reason.
const RESUMED: &str = "somebody let the session go on";

impl Runner {
    /// Takes what has been told since the last time.
    pub(super) fn take_commands(&mut self) -> Result<(), LiveError> {
        while let Ok(told) = self.commands.try_recv() {
            self.on_told(told)?;
        }
        Ok(())
    }

    /// Does what somebody tells. Whoever waits for an answer gets it when the journal has the command on the disk.
    pub(super) fn on_told(&mut self, told: Told) -> Result<(), LiveError> {
        let (command, by, answer) = match told {
            Told::Command(command) => return self.on_command(command, Asker::Program),
            Told::Notice(notice) => return self.on_notice(notice),
            Told::Asked(command, by, answer) => (command, by, answer),
        };
        let reply = match self.on_asked(command, by)? {
            Ok(()) => self
                .bar_loop
                .session_status(self.feed)
                .map_err(|error| ControlError::Refused { kind: ErrorKind::Bug, reason: error.to_string() }),
            Err(refused) => Err(refused),
        };
        // Whoever asked may have gone.
        let _ = answer.send(reply);
        Ok(())
    }

    /// Does it, or says why not; an error ends the session.
    fn on_asked(
        &mut self,
        command: ControlCommand,
        by: Asker,
    ) -> Result<Result<(), ControlError>, LiveError> {
        let command = match command {
            ControlCommand::Status {} | ControlCommand::Subscribe { .. } => return Ok(Ok(())),
            ControlCommand::Reload {} => return self.note_asked(Asked::Reload, by).map(Ok),
            ControlCommand::Stop {} => {
                self.cancel.cancel();
                return self.note_asked(Asked::Stop, by).map(Ok);
            }
            ControlCommand::Resume { acknowledge: None } => return self.resume(by),
            ControlCommand::Resume { acknowledge: Some(reason) } => return self.acknowledge(reason, by),
            ControlCommand::Pause { reason } => Command::Pause { reason: reason.into() },
            ControlCommand::ReduceOnly { reason } => Command::ReduceOnly { reason: reason.into() },
            ControlCommand::Kill { reason, flatten } => Command::Halt { reason: reason.into(), flatten },
        };
        self.on_command(command, by).map(Ok)
    }

    /// Journals what somebody asked for that needs nothing of the session's rules.
    fn note_asked(&mut self, what: Asked, by: Asker) -> Result<(), LiveError> {
        let now = self.now();
        self.bar_loop.event(EventRecord::Asked { what, by }, now)?;
        self.bar_loop.recorder.sync()
    }

    /// Ends what was asked for; says so where something else holds the session back.
    fn resume(&mut self, by: Asker) -> Result<Result<(), ControlError>, LiveError> {
        let risk = self.bar_loop.desk.risk();
        let is_asked_for = risk.conditions().get(ConditionSource::Operator).is_some();
        if let Some(restriction) = risk.restriction().filter(|_| !is_asked_for) {
            let Restriction { mode, reason, .. } = restriction;
            let reason = format!(
                "the session is {mode} because of a limit or a kill, which takes an acknowledgement: {reason}"
            );
            return Ok(Err(ControlError::Refused { kind: ErrorKind::BadInput, reason }));
        }
        if is_asked_for {
            self.on_command(Command::Resume { reason: RESUMED.to_owned() }, by)?;
        }
        Ok(Ok(()))
    }

    /// Ends a kill, a limit that was reached and what was asked for. The file that halts goes first: left behind, it would
    /// halt the session again.
    fn acknowledge(&mut self, reason: Reason, by: Asker) -> Result<Result<(), ControlError>, LiveError> {
        // What somebody has just asked for by file is journalled before it ends.
        self.read_controls()?;
        if let Err(error) = self.controls.end_halt() {
            let reason = format!("the file that halts the session can't be removed: {error}");
            return Ok(Err(ControlError::Refused { kind: ErrorKind::Retry, reason }));
        }
        self.on_command(Command::Acknowledge { reason: reason.into() }, by)?;
        Ok(Ok(()))
    }

    /// Journals a command, brings it to the disk, and lets it have its effect.
    pub(super) fn on_command(&mut self, command: Command, by: Asker) -> Result<(), LiveError> {
        tracing::info!(?command, %by, "somebody tells the session what to do");
        let now = self.now();
        self.bar_loop.event(EventRecord::Command { command, by }, now)?;
        self.bar_loop.recorder.sync()?;
        self.bar_loop.enforce_mode(now)?;
        self.status.send_replace(self.bar_loop.status());
        Ok(())
    }

    pub(super) fn look_at_controls(&mut self) -> Result<(), LiveError> {
        if self.controls.is_due(self.clock.monotonic()) { self.read_controls() } else { Ok(()) }
    }

    pub(super) fn read_controls(&mut self) -> Result<(), LiveError> {
        if let Some(command) = self.controls.acknowledgement() {
            self.on_command(command, Asker::File)?;
            self.controls.acknowledged()?;
        }
        let Some(command) = self.controls.halt() else { return Ok(()) };
        let restriction = self.bar_loop.desk.risk().restriction();
        let flattens = matches!(command, Command::Halt { flatten: true, .. });
        let holds = |it: &Restriction| it.mode == TradingMode::Halted && (it.flatten || !flattens);
        if restriction.is_some_and(holds) { Ok(()) } else { self.on_command(command, Asker::File) }
    }
}
