//! `cargo xtask slurm`: tests sweeps on a temporary Slurm cluster on this machine.
//!
//! Its daemons have their own folder, key and ports, so they don't interfere with another Slurm, and end with this process.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// The required programs and their Debian packages. `setpriv` ends the daemons with this process.
const PROGRAMS: [(&str, &str); 6] = [
    ("munged", "munge"),
    ("slurmctld", "slurm-wlm"),
    ("slurmd", "slurm-wlm"),
    ("sbatch", "slurm-wlm"),
    ("squeue", "slurm-wlm"),
    ("setpriv", "util-linux"),
];

/// The maximum time until the node is ready.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the tests that need Slurm, or prints why it can't.
pub fn run(checkout: &Checkout) -> Result<()> {
    if let Some(reason) = reason_to_skip() {
        println!("skipped: {reason}");
        return Ok(());
    }
    setup::run(checkout, false)?;
    let test = ["test", "--test", "command_line"];
    run_command("the build", cargo(checkout).args(test).arg("--no-run"))?;
    let slurm = Slurm::start()?;
    let ignored = ["--", "--ignored", "--nocapture", "slurm::"];
    run_command("the Slurm tests", cargo(checkout).args(test).args(ignored).env("SLURM_CONF", &slurm.config))
}

fn reason_to_skip() -> Option<String> {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root {
        return Some("a temporary Slurm cluster needs root".into());
    }
    let has = |name: &str| ["/usr/bin", "/usr/sbin", "/bin"].iter().any(|dir| Path::new(dir).join(name).exists());
    let missing = PROGRAMS.iter().find(|(name, _)| !has(name))?;
    Some(format!("there is no {}; install Debian's {}", missing.0, missing.1))
}

/// A Slurm cluster of one node, this machine; dropping it stops it.
struct Slurm {
    config: PathBuf,
    daemons: Vec<Child>,
    folder: tempfile::TempDir,
}

impl Slurm {
    /// Starts the cluster and waits until it accepts jobs.
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::write(at("munge.key"), random(1024)?)?;
        fs::set_permissions(at("munge.key"), Permissions::from_mode(0o400))?;
        fs::create_dir(at("state"))?;
        fs::create_dir(at("spool"))?;
        let config = at("slurm.conf");
        fs::write(&config, configuration(folder.path())?)?;
        let mut slurm = Slurm { config, daemons: Vec::new(), folder };
        let root = slurm.folder.path().to_path_buf();
        let option = |name: &str, file: &str| format!("--{name}={}", root.join(file).display());
        let files = [("key-file", "munge.key"), ("socket", "munge.socket"), ("pid-file", "munged.pid")];
        let more = [("log-file", "munge.log"), ("seed-file", "munge.seed")];
        let munged: Vec<String> = files.iter().chain(&more).map(|(name, file)| option(name, file)).collect();
        slurm.daemon("munged", munged.iter().map(String::as_str).chain(["--foreground", "--force"]))?;
        slurm.wait_until("munged listens", |_| Ok(root.join("munge.socket").exists()))?;
        slurm.daemon("slurmctld", ["-D"])?;
        slurm.daemon("slurmd", ["-D"])?;
        slurm.wait_until("the node is ready", |slurm| {
            let state = slurm.command("sinfo").args(["--noheader", "--format=%T"]).output()?.stdout;
            Ok(state == b"idle\n")
        })?;
        Ok(slurm)
    }

    /// Returns a command of a program that uses this cluster.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", &self.config);
        command
    }

    fn daemon<'a>(&mut self, name: &str, arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let log = File::create(self.folder.path().join(format!("{name}.log")))?;
        let mut command = self.command("setpriv");
        command.args(["--pdeathsig", "TERM", name]).args(arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.daemons.push(command.spawn().with_context(|| name.to_owned())?);
        Ok(())
    }

    /// Waits until a condition holds; the error contains the daemons' logs.
    fn wait_until(&mut self, what: &str, condition: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let begin = Instant::now();
        while !condition(self)? {
            let died = self.daemons.iter_mut().any(|daemon| !matches!(daemon.try_wait(), Ok(None)));
            if died || begin.elapsed() > TIMEOUT {
                let logs = ["munged", "slurmctld", "slurmd"].map(|name| {
                    let file = self.folder.path().join(format!("{name}.log"));
                    fs::read_to_string(file).unwrap_or_default()
                });
                bail!("the Slurm cluster failed before `{what}`:\n{}", logs.concat());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        let _ = self.command("scancel").arg("--me").status();
        let queue_is_empty = |slurm: &Self| Ok(slurm.command("squeue").arg("--noheader").output()?.stdout.is_empty());
        let _ = self.wait_until("the queue is empty", queue_is_empty);
        for daemon in self.daemons.iter_mut().rev() {
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

/// Returns the configuration: one node with two cores, whatever this machine has.
fn configuration(folder: &Path) -> Result<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let host = host.trim().split('.').next().unwrap_or_default();
    let [controller, node] = free_ports()?;
    let folder = folder.display();
    Ok(format!(
        "\
ClusterName=alrao
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"
    ))
}

/// Returns two unused ports.
fn free_ports() -> Result<[u16; 2]> {
    let [one, other] = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

fn random(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
