//! Programs that must not outlive a test, nor be seen by the machine they run on.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A shell script and all that it starts, with process ids and mounts of their own.
///
/// It ends with this value, and also when the test is killed: its first process reads a pipe that this process holds,
/// goes when the pipe is closed, and the kernel ends with it every process it has started. What it mounts is seen by
/// nobody else.
#[derive(Debug)]
pub struct IsolatedServer {
    child: Child,
    /// Closed to stop it.
    alive: Option<ChildStdin>,
    log: PathBuf,
}

/// The last word of every script: run the server that `"$@"` names until it ends or the pipe is closed.
const SUPERVISE: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(cat <&3 >/dev/null; kill -9 $server) &
wait $server
"#;

impl IsolatedServer {
    /// Whether this process may make namespaces at all: it needs root, and a container may forbid it even then.
    pub fn is_possible() -> bool {
        Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Runs the shell commands of `prepare` and then `server`, which stays in the foreground. Both write to `log`.
    ///
    /// # Errors
    /// When the log cannot be written or `unshare` cannot be run.
    pub fn start(prepare: &str, server: &[&str], log: &Path) -> io::Result<Self> {
        let output = File::create(log)?;
        let mut child = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c"])
            .arg(format!(
                "set -e\nmount --make-rprivate /\n{prepare}\nset +e\n{SUPERVISE}"
            ))
            .arg("sh")
            .args(server)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let alive = child.stdin.take();
        Ok(Self {
            child,
            alive,
            log: log.to_owned(),
        })
    }

    /// The status it ended with, if it has ended by itself.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        fs::read(&self.log)
            .map(|octets| String::from_utf8_lossy(&octets).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for IsolatedServer {
    fn drop(&mut self) {
        drop(self.alive.take());
        if wait_until(Duration::from_secs(10), || {
            matches!(self.child.try_wait(), Ok(Some(_)))
        }) {
            return;
        }
        // `--kill-child` hands this on to the first process of the namespace. Nothing to be done when it fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks every few milliseconds until the answer is yes; `false` when the time is over first.
pub fn wait_until(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
