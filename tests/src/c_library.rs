//! `libmapagent` installed into a tree of its own, and programs in C and C++ compiled against it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The library as `make install` leaves it, built by cargo's profile for development.
#[derive(Debug)]
pub struct InstalledLibrary {
    prefix: PathBuf,
    /// What every program is compiled with besides.
    flags: Vec<&'static str>,
}

/// Set by `scripts/sanitize`: the library itself is built with `AddressSanitizer`, and so are the programs.
const SANITIZE: &str = "MAPAGENT_SANITIZE";

/// What is compiled, and how.
#[derive(Debug)]
pub struct Compilation<'a> {
    library: &'a InstalledLibrary,
    command: Command,
}

/// A program that was compiled; gone when dropped.
#[derive(Debug)]
pub struct Program {
    folder: TempDir,
}

/// The folder of this crate, where the sources of the programs are.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the whole project.
pub fn project() -> PathBuf {
    folder().parent().unwrap_or(folder()).to_owned()
}

impl InstalledLibrary {
    /// Builds what is out of date and installs it into `scratch`, which every test of a run may name at once.
    ///
    /// # Errors
    /// When it cannot be built or installed; says why.
    pub fn in_folder(scratch: &Path) -> io::Result<Self> {
        let sanitized = std::env::var_os(SANITIZE).is_some();
        let prefix = scratch.join(if sanitized {
            "installed-sanitized"
        } else {
            "installed"
        });
        let mut install = Command::new("flock");
        install
            .arg(scratch.join("installed.lock"))
            .arg(project().join("scripts/install"))
            .env("PREFIX", &prefix)
            .env("PROFILE", "dev")
            .env_remove("DESTDIR");
        let mut flags = Vec::new();
        if sanitized {
            // The option has no name in a stable compiler yet. With a target named, programs of the build are not
            // instrumented.
            install
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTFLAGS", "-Zsanitizer=address")
                .env(
                    "CARGO_BUILD_TARGET",
                    format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
                )
                .env("CARGO_TARGET_DIR", project().join("build/sanitized"));
            flags.extend(["-fsanitize=address", "-fno-omit-frame-pointer"]);
        }
        run(&mut install)?;
        Ok(Self { prefix, flags })
    }

    /// Where it is installed.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Where its libraries are.
    pub fn lib(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    /// Compiles sources of this crate as strict C11.
    pub fn c(&self, sources: &[&str]) -> Compilation<'_> {
        self.compilation("gcc", "-std=c11", sources)
    }

    /// Compiles sources of this crate as strict C++17.
    pub fn cpp(&self, sources: &[&str]) -> Compilation<'_> {
        self.compilation("g++", "-std=c++17", sources)
    }

    fn compilation(&self, compiler: &str, standard: &str, sources: &[&str]) -> Compilation<'_> {
        let mut command = Command::new(compiler);
        command
            .args([
                standard,
                "-g",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pedantic",
                "-Wshadow",
            ])
            .args(&self.flags)
            .arg("-I")
            .arg(self.prefix.join("include"))
            .args(sources.iter().map(|source| folder().join(source)));
        Compilation {
            library: self,
            command,
        }
    }
}

impl Compilation<'_> {
    /// With more arguments to the compiler.
    #[must_use]
    pub fn with<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Links the shared library.
    ///
    /// # Errors
    /// What the compiler says against it; a warning is enough.
    pub fn shared(self) -> io::Result<Program> {
        let lib = self.library.lib();
        let mut path = OsString::from("-Wl,-rpath,");
        path.push(&lib);
        self.with([
            OsStr::new("-L"),
            lib.as_os_str(),
            &path,
            OsStr::new("-lmapagent"),
            OsStr::new("-pthread"),
        ])
        .program()
    }

    /// Links what the arguments so far name.
    ///
    /// # Errors
    /// What the compiler says against it; a warning is enough.
    pub fn program(mut self) -> io::Result<Program> {
        let folder = TempDir::new()?;
        run(self.command.arg("-o").arg(folder.path().join("program")))?;
        Ok(Program { folder })
    }
}

impl Program {
    /// Runs it with these arguments to its end, but not for longer than four minutes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> io::Result<Output> {
        self.run_under(&[], arguments)
    }

    /// The same, under a tool such as valgrind.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_under<A: AsRef<OsStr>>(
        &self,
        tool: &[&str],
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Output> {
        Command::new("timeout")
            .args(["--kill-after=5", "240"])
            .args(tool)
            .arg(self.folder.path().join("program"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
    }
}

/// Runs a command that must succeed; what it printed.
///
/// # Errors
/// What it printed when it did not succeed; which script installs it when it is not there.
pub fn run(command: &mut Command) -> io::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(format!(
                "{command:?} is not there: scripts/setup installs what tests need"
            )),
            _ => error,
        })?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(printed.into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{command:?}: {}\n{printed}{complaint}",
        output.status
    )))
}
