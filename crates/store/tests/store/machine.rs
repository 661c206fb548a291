//! Real full disks and real read-only file systems. They need the right to mount; without it the tests say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use walkforward_core::LineName;
use walkforward_durable::{EnvironmentFault, Files};
use walkforward_store::{PointerReader, StoreError};

use crate::fixture::{Fixture, make_model, promote, try_make_model};

/// A file system of its own in memory, gone with the value.
struct Mount {
    dir: TempDir,
}

impl Mount {
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn of_kib(kib: u32) -> Option<Self> {
        let mount = Self { dir: tempfile::tempdir().unwrap() };
        let is_mounted = mount.call(&["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]);
        if !is_mounted {
            eprintln!("skipped: this user may not mount a file system");
        }
        is_mounted.then_some(mount)
    }

    fn call(&self, arguments: &[&str]) -> bool {
        let output = Command::new("mount").args(arguments).arg(self.dir.path()).output();
        output.is_ok_and(|output| output.status.success())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).output();
    }
}

fn fixture_at(dir: &Path) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.dir = tempfile::tempdir_in(dir).unwrap();
    fixture
}

fn two_promotions(fixture: &Fixture) -> Result<(), StoreError> {
    let line = LineName::default();
    let store = fixture.try_open(Files::default())?;
    let first = try_make_model(&store, &line, |_| {})?;
    promote(&store, &line, None, &first.model_id)?;
    let second = try_make_model(&store, &line, |_| {})?;
    promote(&store, &line, Some(&first.model_id), &second.model_id)?;
    Ok(())
}

#[test]
fn a_disk_that_fills_up_at_any_point_is_told_apart_and_spoils_nothing() {
    let mut failures = 0;
    for kib in (8..700).step_by(20) {
        let Some(mount) = Mount::of_kib(kib) else { return };
        let fixture = fixture_at(mount.dir.path());
        if let Err(error) = two_promotions(&fixture) {
            assert_eq!(error.environment_fault(), Some(EnvironmentFault::DiskFull), "{kib} KiB: {error}");
            failures += 1;
        }
        PointerReader::new(fixture.models_dir(), LineName::default()).read().unwrap();
        assert!(mount.call(&["-o", "remount,size=16m"]));
        let store = fixture.open();
        let champion = store.champion(&LineName::default()).unwrap().map(|champion| champion.model_ref.id);
        let next = make_model(&store, &LineName::default());
        promote(&store, &LineName::default(), champion.as_ref(), &next.model_id).unwrap();
    }
    assert!((3..34).contains(&failures), "{failures} disks were too small");
}

#[test]
fn a_read_only_disk_is_told_apart_and_the_champion_can_still_be_read() {
    let Some(mount) = Mount::of_kib(16 << 10) else { return };
    let fixture = fixture_at(mount.dir.path());
    two_promotions(&fixture).unwrap();
    assert!(mount.call(&["-o", "remount,ro"]));
    let error = fixture.try_open(Files::default()).unwrap_err();
    assert_eq!(error.environment_fault(), Some(EnvironmentFault::ReadOnly), "{error}");
    assert!(error.to_string().contains("read-only"), "{error}");
    let (pointer, _) = PointerReader::new(fixture.models_dir(), LineName::default()).read().unwrap().unwrap();
    assert_eq!(pointer.sequence, 2);
    assert!(mount.call(&["-o", "remount,rw"]), "{}", mount.path("").display());
}
