//! Sweeps on Slurm, with fake commands or, for `cargo xtask slurm`, on a real cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::supervised::alphabet;
use crate::sweeps::{SMALL_SWEEP, locked, signal, table, wait_until};
use crate::{alrao, assert_same, code_and_text, outcome, succeed};

/// A fake `sbatch`, which runs the tasks of an array in sequence; the job id is the index of its first run.
const SBATCH: &str = r#"#!/bin/sh
[ "$1" = --version ] && exit
for argument; do
    case $argument in
    --array=*) array=${argument#--array=} ;;
    --*) ;;
    *) break ;;
    esac
    shift
done
echo "array $array of" "$@" >> "$(dirname "$0")/said"
for place in $(echo "${array%\%*}" | tr , ' '); do
    for task in $(seq "${place%-*}" "${place#*-}"); do
        SLURM_ARRAY_TASK_ID=$task sh "$@" < /dev/null > /dev/null 2>&1
    done
done
for first; do :; done
echo "$first;cluster"
"#;

#[test]
fn a_sweep_on_slurm_has_the_same_table_as_a_local_sweep() {
    let root = tempfile::tempdir().unwrap();
    let bin = commands(root.path(), &[("sbatch", SBATCH), ("squeue", "#!/bin/sh\n"), ("scontrol", ARRAYS_OF_TWO)]);
    let (local, slurm) = (root.path().join("local"), root.path().join("by slurm"));
    let short = "--set schedule.steps=300";
    succeed(sweep(root.path(), &local, &format!("--executor local {short}")));
    let words = &format!("{short} --executor slurm --slurm partition=small --slurm exclusive --jobs 1");
    let text = succeed(on_path(sweep(root.path(), &slurm, words), &bin));
    assert!(text.contains("4 of 4 runs to go, by Slurm's job 0 and 2") && text.contains("4/4"), "{text}");
    assert_eq!(table(&slurm), table(&local));
    let script = fs::read_to_string(slurm.join("slurm.sh")).unwrap();
    assert!(script.contains("#SBATCH --partition=small\n#SBATCH --exclusive\n"), "{script}");

    // An edited script is kept, and finished runs are not submitted again.
    fs::write(slurm.join("slurm.sh"), script.replace("partition=small", "partition=large")).unwrap();
    fs::remove_dir_all(slurm.join("pendulum-alrao-seed1")).unwrap();
    let mut resume = alrao("sweep --executor slurm --resume");
    resume.arg(&slurm);
    succeed(on_path(resume, &bin));
    assert!(fs::read_to_string(slurm.join("slurm.sh")).unwrap().contains("partition=large"));
    let submitted = fs::read_to_string(bin.join("said")).unwrap();
    let arrays: Vec<&str> = submitted.lines().map(|line| line.split(" of ").next().unwrap()).collect();
    assert_eq!(arrays, ["array 0-1%1", "array 0-1%1", "array 1"]);
    assert_eq!(table(&slurm), table(&local));
}

#[test]
fn missing_slurm_and_rejected_jobs_are_usage_errors() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let assert_usage_error = |command: Command, expected: &[&str]| {
        let (code, text) = outcome(command);
        assert_eq!(code, 2, "{text}");
        assert!(expected.iter().all(|words| text.contains(words)), "{expected:?}: {text}");
    };
    let none = root.path().join("none");
    let sweep = |words: &str| sweep(root.path(), &out, words);
    assert_usage_error(on_path(sweep("--executor slurm"), &none), &["no `sbatch` on the PATH", "leave --executor out"]);
    assert_usage_error(sweep("--slurm partition=small"), &["--slurm", "--executor slurm"]);
    assert_usage_error(sweep("--executor slurm --slurm array=0-3"), &["`array` is set by the sweep"]);
    assert_usage_error(sweep("--executor slurm --slurm p=small"), &["not a long option of sbatch"]);
    assert_usage_error(sweep("--executor pbs"), &["local", "slurm"]);
    assert!(!out.exists());
    let says_no = "#!/bin/sh\n[ \"$1\" = --version ] || { echo invalid partition specified >&2; exit 1; }\n";
    let bin = commands(root.path(), &[("sbatch", says_no), ("squeue", "#!/bin/sh\n"), ("scontrol", ARRAYS_OF_TWO)]);
    let go_on = format!("alrao sweep --resume {} --executor slurm", out.display());
    assert_usage_error(
        on_path(sweep("--executor slurm"), &bin),
        &["invalid partition specified", &go_on, "--slurm KEY=VALUE"],
    );
}

/// The jobs find the new place of the data in the sweep's directory, whether or not their runs have begun.
#[test]
fn a_sweep_on_slurm_goes_on_with_data_that_moved() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let bin = commands(root.path(), &[("sbatch", SBATCH), ("squeue", "#!/bin/sh\n"), ("scontrol", ARRAYS_OF_TWO)]);
    let [file, out, moved] = ["s.toml", "sweep", "moved data"].map(|name| root.path().join(name));
    let text = "seeds = \"0-1\"\n[[task]]\nconfig = \"ptb-char\"\ndata.batch_size = 4\ndata.bptt = 10\n\
                training.max_epochs = 1\ndevice = \"cpu\"\n";
    fs::write(&file, text).unwrap();
    let words = |words: &str, out: &Path, data: &Path| {
        let mut command = alrao(&format!("sweep --executor slurm {words}"));
        command.arg(out).arg("--data").arg(data);
        on_path(command, &bin)
    };
    succeed(words(&format!("{} --out", file.display()), &out, data.path()));
    let run = |seed| out.join(format!("ptb-char-alrao-seed{seed}"));
    fs::remove_dir_all(run(0)).unwrap(); // one is missing, one unfinished
    fs::remove_file(run(1).join("summary.json")).unwrap();
    fs::rename(data.path(), &moved).unwrap();
    let table = succeed(words("--resume", &out, &moved));
    assert!(table.contains("| 2 of 2 |"), "{table}");
    assert!([0, 1].iter().all(|seed| run(*seed).join("summary.json").exists()));
    succeed(alrao(&format!("eval {}", run(1).display()))); // without --data
}

/// The cluster takes one array of two runs, and rejects the next.
#[test]
fn a_limit_of_submissions_is_said_and_can_be_kept() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let full = "#!/bin/sh\n[ \"$1\" = --version ] && exit\nmark=\"$(dirname \"$0\")/mark\"\n\
                [ -e \"$mark\" ] && { echo QOSMaxSubmitJobPerUserLimit >&2; exit 1; }\ntouch \"$mark\"; echo 17\n";
    let bin = commands(root.path(), &[("sbatch", full), ("squeue", "#!/bin/sh\n"), ("scontrol", ARRAYS_OF_TWO)]);
    let words = "--executor slurm --set schedule.steps=300";
    let (code, said) = outcome(on_path(sweep(root.path(), &out, words), &bin));
    assert!(code == 2 && said.contains("QOSMaxSubmitJobPerUserLimit") && said.contains("17"), "{code} {said}");
    assert!(said.contains("--submit"), "{said}");

    let bin = commands(root.path(), &[("sbatch", SBATCH), ("squeue", "#!/bin/sh\n"), ("scontrol", ARRAYS_OF_TWO)]);
    let mut resume = alrao("sweep --executor slurm --submit 1 --resume");
    resume.arg(&out);
    let (_, said) = outcome(on_path(resume, &bin));
    assert!(said.contains("3 runs to go") || said.contains("3 unfinished") || said.contains("1 of 2"), "{said}");
    let submitted = fs::read_to_string(bin.join("said")).unwrap();
    assert_eq!(submitted.lines().map(|line| line.split(" of ").next().unwrap()).collect::<Vec<_>>(), ["array 0"]);
}

/// Eight runs on a Slurm cluster of two cores: one is requeued, the process of another is killed, and the sweep is stopped
/// and resumed.
#[test]
#[ignore = "needs a Slurm: cargo xtask slurm"]
fn requeued_and_killed_runs_on_a_real_cluster_have_the_same_table_as_a_local_sweep() {
    let root = tempfile::tempdir().unwrap();
    let (local, slurm) = (root.path().join("local"), root.path().join("slurm"));
    let words = "--seeds 0-3 --set schedule.steps=3000";
    let by_slurm = "--executor slurm --slurm time=10 --slurm mem=500M";
    let quiet = |command: &mut Command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let follower = quiet(&mut sweep(root.path(), &slurm, &format!("{words} {by_slurm}")));

    let requeued = slurm.join("pendulum-sgd-seed0");
    wait_until("a run has a checkpoint", || requeued.join("checkpoints/last/state.json").exists());
    let begun = first_line(&requeued);
    let queue = squeue();
    let (task, _) = queue.split_once("_0 RUNNING").expect("the first run is trained");
    let task = format!("{}_0", task.rsplit('\n').next().unwrap());
    scontrol(&["requeue", &task]);
    scontrol(&["update", &format!("JobId={task}"), "StartTime=now"]); // otherwise after two minutes

    wait_until("another run is trained", || locked(&slurm).contains(&slurm.join("pendulum-sgd-seed2")));
    signal("INT", follower.id());
    let (code, text) = code_and_text(follower.wait_with_output().unwrap());
    assert!(code == 1 && text.contains("their jobs continue; stop them with `scancel "), "{code} {text}");
    assert!(!locked(&slurm).is_empty(), "a run ended with the sweep's process");

    let tasks = squeue().lines().count();
    let resume = || {
        let mut command = alrao("sweep --executor slurm --resume");
        command.arg(&slurm);
        command
    };
    let follower = quiet(&mut resume());
    wait_until("it follows them again", || slurm_lock_is_held(&slurm));
    assert!(squeue().lines().count() <= tasks, "runs in the queue were submitted again");
    let killed = slurm.join("pendulum-alrao-seed3"); // the last
    wait_until("the last run is trained", || locked(&slurm).contains(&killed));
    signal("KILL", trainer(&killed));
    let (code, text) = code_and_text(follower.wait_with_output().unwrap());
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("stopped with 1 of 4 runs to go and 0 failed; see slurm.log"), "{text}");

    succeed(resume());
    assert_eq!(first_line(&requeued), begun, "the requeued run started again");
    succeed(sweep(root.path(), &local, words));
    assert_eq!(table(&slurm), table(&local));
    for run in [&requeued, &killed] {
        assert_same(run, &local.join(run.file_name().unwrap()));
    }
    let job = Command::new("scontrol").args(["show", "job", &task]).output().unwrap();
    assert!(String::from_utf8(job.stdout).unwrap().contains("Restarts=1"), "it wasn't requeued");
    println!("{}", succeed(alrao(&format!("table {}", slurm.display())))); // for `cargo xtask slurm`
}

const ARRAYS_OF_TWO: &str = "#!/bin/sh\necho 'MaxArraySize            = 2'\n";

/// Returns the command of a sweep of four small runs.
fn sweep(root: &Path, out: &Path, words: &str) -> Command {
    let file = root.join("small.toml");
    fs::write(&file, SMALL_SWEEP).unwrap();
    let mut command = alrao(&format!("sweep {} {words} --out", file.display()));
    command.arg(out);
    command
}

/// Creates a folder with these executable scripts.
fn commands(root: &Path, commands: &[(&str, &str)]) -> std::path::PathBuf {
    let bin = root.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, text) in commands {
        fs::write(bin.join(name), text).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

/// Sets the command's PATH to this folder and the system's.
fn on_path(mut command: Command, folder: &Path) -> Command {
    let tools = if folder.exists() { ":/usr/local/bin:/usr/bin:/bin" } else { "" };
    command.env("PATH", format!("{}{tools}", folder.display()));
    command
}

fn first_line(run: &Path) -> String {
    fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().next().unwrap().into()
}

/// Finds the process that trains in a run directory.
fn trainer(run: &Path) -> u32 {
    let words = format!("\0--resume\0{}\0", run.display());
    let mut processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let trains = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&words))
    };
    processes.find(trains).expect("a process trains there")
}

fn slurm_lock_is_held(sweep: &Path) -> bool {
    fs::File::open(sweep.join("sweep.jsonl")).unwrap().try_lock().is_err()
}

/// Returns `JOB_INDEX STATE` of all tasks in the queue, one per line.
fn squeue() -> String {
    let output = Command::new("squeue").args(["--me", "--array", "--noheader", "--format=%F_%K %T"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn scontrol(words: &[&str]) {
    assert!(Command::new("scontrol").args(words).status().unwrap().success(), "{words:?}");
}
