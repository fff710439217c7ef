//! A Python process that steps copies of an environment: [`Worker`]. `worker.py` is its script and describes the messages.
//!
//! A message in each direction carries the requests of any number of copies, so that a batch costs as many switches between
//! the processes as a single step. Environments may hang or crash: a file tells which request was begun last.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use crate::{ObservationDtype, Step};

/// The script of a worker.
const SCRIPT: &str = include_str!("worker.py");
/// The time that a worker has to close its environments.
const FAREWELL: Duration = Duration::from_secs(2);
/// The time to wait awake for an answer: on an idle core, falling asleep and waking up takes longer than most environments
/// take for a step. `worker.py` waits as long for a request.
const AWAKE: Duration = Duration::from_micros(50);
/// The bytes of a row before the observation.
const ROW: usize = 16;
const TERMINATED: u32 = 1;
const TRUNCATED: u32 = 2;
const FAILED: u32 = 4;
const MASKED: u32 = 8;

/// How to start a worker.
#[derive(Debug)]
pub struct Launch {
    /// The Python program.
    pub python: String,
    /// The settings for the script, as JSON.
    pub settings: String,
    /// The time after which a copy hangs.
    pub timeout: Duration,
}

/// What a worker says of its environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Greeting {
    /// Shape and dtype of the observations.
    pub space: GivenSpace,
    /// The number of discrete actions.
    pub actions: usize,
    /// Frames per second.
    pub fps: u32,
    /// The version of Gymnasium.
    pub gymnasium: String,
}

/// An observation space in Gymnasium's terms.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GivenSpace {
    /// The shape, of any number of dimensions.
    pub shape: Vec<usize>,
    /// The type of each value.
    #[serde(deserialize_with = "dtype")]
    pub dtype: ObservationDtype,
}

fn dtype<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ObservationDtype, D::Error> {
    match &*String::deserialize(deserializer)? {
        "f32" => Ok(ObservationDtype::F32),
        "u8" => Ok(ObservationDtype::U8),
        "bool" => Ok(ObservationDtype::Bool),
        other => Err(serde::de::Error::custom(format!("unknown dtype {other}"))),
    }
}

impl GivenSpace {
    /// Returns the bytes of an observation.
    fn bytes(&self) -> usize {
        let each = if self.dtype == ObservationDtype::F32 { 4 } else { 1 };
        each * self.shape.iter().product::<usize>()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum GivenGreeting {
    Error { error: String },
    Greeting(Greeting),
}

/// What a copy is asked.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// To start an episode with this seed; makes the copy if there is none.
    Reset { seed: u64 },
    /// To take this action, as the episode's `step`-th from 1.
    Step { action: usize, step: u64 },
    /// To return a frame of the state after this number of steps.
    Render { step: u64 },
    /// To end.
    Close,
}

/// A request to a copy.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The copy's index.
    pub copy: usize,
    /// What it is asked.
    pub call: Call,
}

impl Request {
    fn encode(&self) -> [u8; 16] {
        let (kind, argument) = match self.call {
            Call::Reset { seed } => (0u32, seed),
            Call::Step { action, .. } => (1, action as u64),
            Call::Render { .. } => (2, 0),
            Call::Close => (3, 0),
        };
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&(self.copy as u32).to_le_bytes());
        bytes[8..].copy_from_slice(&argument.to_le_bytes());
        bytes
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "copy {}, ", self.copy)?;
        match self.call {
            Call::Reset { seed } => write!(f, "reset with seed {seed}"),
            Call::Step { action, step } => write!(f, "step {step} with action {action}"),
            Call::Render { step } => write!(f, "frame after step {step}"),
            Call::Close => write!(f, "close"),
        }
    }
}

/// The answer to a request.
#[derive(Debug, Default)]
pub struct Answer {
    reward: f64,
    flags: u32,
    /// The bytes of the observation.
    pub observation: Vec<u8>,
    /// Which actions are legal; `None` if the environment doesn't say.
    pub mask: Option<Vec<bool>>,
    /// A frame's bytes.
    pub message: Vec<u8>,
}

impl Answer {
    /// Returns the result of a step.
    pub fn step(&self) -> Step {
        let flag = |flag| self.flags & flag != 0;
        Step { reward: self.reward, terminated: flag(TERMINATED), truncated: flag(TRUNCATED) }
    }
}

/// A worker, whose process starts when it is first needed. After a failure of the process, every call returns its message.
#[derive(Debug, Default)]
pub struct Worker {
    process: Option<Process>,
    failure: Option<String>,
}

impl Worker {
    /// Starts the process, without waiting for its greeting.
    ///
    /// # Errors
    /// The Python program can't be started, or the process failed before.
    pub fn start(&mut self, launch: &Launch) -> Result<(), String> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.process.is_none() {
            self.process = Some(Process::start(launch)?);
        }
        Ok(())
    }

    /// Returns the greeting.
    ///
    /// # Errors
    /// The environment can't be made, or the process failed.
    pub fn greeting(&mut self) -> Result<&Greeting, String> {
        self.with_process(|process| process.greet())?;
        Ok(self.process.as_ref().and_then(|process| process.greeting.as_ref()).expect("greeted"))
    }

    /// Adds a request to the next message.
    pub fn queue(&mut self, request: Request) {
        if let Some(process) = &mut self.process {
            process.queue.push(request);
        }
    }

    /// Has the process end, without waiting for it.
    pub fn disconnect(&self) {
        if let Some(process) = &self.process {
            let _ = process.stream.shutdown(Shutdown::Both); // it may have ended
        }
    }

    /// Returns whether the process failed.
    pub fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Returns whether requests are queued.
    pub fn has_queued(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.queue.is_empty())
    }

    /// Sends the requests that are queued.
    ///
    /// # Errors
    /// The process failed.
    pub fn send(&mut self) -> Result<(), String> {
        self.with_process(Process::send)
    }

    /// Sends what is queued, and returns the answer to the last request of a copy, once it is there.
    ///
    /// # Errors
    /// The environment or the process failed.
    pub fn answer(&mut self, request: &Request) -> Result<&mut Answer, String> {
        self.with_process(|process| process.send().and_then(|()| process.receive()))?;
        let process = self.process.as_mut().expect("it answered");
        let answer = process.answers.get_mut(&request.copy).expect("an answer to each request");
        if answer.flags & FAILED != 0 {
            return Err(format!("{request}: {}", String::from_utf8_lossy(&answer.message)));
        }
        Ok(answer)
    }

    fn with_process<T>(&mut self, work: impl FnOnce(&mut Process) -> Result<T, String>) -> Result<T, String> {
        let Some(process) = &mut self.process else {
            return Err(self.failure.clone().expect("a worker is started before it is used"));
        };
        work(process).inspect_err(|failure| {
            self.failure = Some(failure.clone());
            self.process = None;
        })
    }
}

/// A running process.
#[derive(Debug)]
struct Process {
    child: Child,
    stream: UnixStream,
    begun: File,
    timeout: Duration,
    greeting: Option<Greeting>,
    queue: Vec<Request>,
    /// the requests whose answers are outstanding
    sent: Vec<Request>,
    /// the number of requests before those
    answered: u64,
    answers: HashMap<usize, Answer>,
    buffer: Vec<u8>,
}

impl Process {
    fn start(launch: &Launch) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("can't start a worker: {error}");
        let (stream, theirs) = UnixStream::pair().map_err(failed)?;
        stream.set_read_timeout(Some(launch.timeout)).map_err(failed)?;
        stream.set_write_timeout(Some(launch.timeout)).map_err(failed)?;
        let begun = tempfile::tempfile().map_err(failed)?;
        begun.set_len(8).map_err(failed)?;

        let mut command = Command::new(&launch.python);
        command.args(["-c", SCRIPT, &launch.settings]);
        command.stdin(OwnedFd::from(theirs)).stdout(begun.try_clone().map_err(failed)?);
        command.process_group(0); // Ctrl-C at the terminal is for the program, and a worker ends with its own children
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            command.env("OMP_NUM_THREADS", "1"); // the workers are parallel already
        }
        let child = spawn(command).map_err(|error| {
            format!(
                "environment.python = {:?}: {error}; install Python with Gymnasium (pip install gymnasium), or set \
                 environment.python to a Python that has it",
                launch.python
            )
        })?;
        Ok(Self {
            child,
            stream,
            begun,
            timeout: launch.timeout,
            greeting: None,
            queue: Vec::new(),
            sent: Vec::new(),
            answered: 0,
            answers: HashMap::new(),
            buffer: vec![0; 1 << 16],
        })
    }

    fn greet(&mut self) -> Result<(), String> {
        if self.greeting.is_some() {
            return Ok(());
        }
        let length = self.read_message()?;
        let greeting = serde_json::from_slice(&self.buffer[4..4 + length]);
        match greeting.map_err(|error| format!("the worker's greeting can't be read: {error}"))? {
            GivenGreeting::Error { error } => Err(error),
            GivenGreeting::Greeting(greeting) => {
                self.greeting = Some(greeting);
                Ok(())
            }
        }
    }

    fn send(&mut self) -> Result<(), String> {
        if self.queue.is_empty() {
            return Ok(());
        }
        self.receive()?; // one message at a time is under way, so that neither side waits for the other to read
        let mut message = Vec::with_capacity(4 + 16 * self.queue.len());
        message.extend((self.queue.len() as u32).to_le_bytes());
        self.queue.iter().for_each(|request| message.extend(request.encode()));
        std::mem::swap(&mut self.sent, &mut self.queue);
        self.stream.write_all(&message).map_err(|error| self.failed(&error))
    }

    /// Receives the answers that are outstanding.
    fn receive(&mut self) -> Result<(), String> {
        self.greet()?;
        if self.sent.is_empty() {
            return Ok(());
        }
        let length = self.read_message()?;
        let Greeting { space, actions, .. } = self.greeting.as_ref().expect("greeted");
        let (actions, bytes) = (*actions, space.bytes());
        let stride = (ROW + bytes + actions).next_multiple_of(8);
        let (rows, mut messages) = self.buffer[4..4 + length].split_at(self.sent.len() * stride);
        for (request, row) in self.sent.iter().zip(rows.chunks_exact(stride)) {
            let word = |start: usize| u32::from_le_bytes(row[start..start + 4].try_into().expect("4 bytes"));
            let (message, rest) = messages.split_at(word(12) as usize);
            messages = rest;
            if matches!(request.call, Call::Close) {
                self.answers.remove(&request.copy);
                continue;
            }
            let answer = self.answers.entry(request.copy).or_default();
            answer.reward = f64::from_le_bytes(row[..8].try_into().expect("8 bytes"));
            answer.flags = word(8);
            answer.observation.clear();
            answer.observation.extend_from_slice(&row[ROW..ROW + bytes]);
            let legal = &row[ROW + bytes..ROW + bytes + actions];
            answer.mask = (answer.flags & MASKED != 0).then(|| legal.iter().map(|&byte| byte != 0).collect());
            answer.message.clear();
            answer.message.extend_from_slice(message);
        }
        self.answered += self.sent.len() as u64;
        self.sent.clear();
        Ok(())
    }

    /// Reads a message to the buffer and returns the number of its bytes after the 4 of its length.
    fn read_message(&mut self) -> Result<usize, String> {
        let (mut filled, mut begun) = (0, self.begun());
        loop {
            let length = match filled {
                0..4 => 0,
                _ => u32::from_le_bytes(self.buffer[..4].try_into().expect("4 bytes")) as usize,
            };
            if filled >= 4 + length && filled >= 4 {
                return Ok(length);
            }
            if self.buffer.len() < 4 + length {
                self.buffer.resize(4 + length, 0);
            }
            match self.read_some(filled) {
                Ok(0) => return Err(self.died()),
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Each request of a batch has this time.
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.begun() != begun => begun = self.begun(),
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// Reads bytes to the buffer from `start` on, as soon as there are some.
    fn read_some(&mut self, start: usize) -> std::io::Result<usize> {
        let since = Instant::now();
        while since.elapsed() < AWAKE {
            match recv(&self.stream, &mut self.buffer[start..], RecvFlags::DONTWAIT) {
                Err(Errno::AGAIN) => thread::yield_now(),
                result => return Ok(result?.1),
            }
        }
        self.stream.read(&mut self.buffer[start..])
    }

    /// Returns the number of requests that were begun.
    fn begun(&self) -> u64 {
        let mut bytes = [0; 8];
        self.begun.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_le_bytes(bytes))
    }

    /// Describes the request at work.
    fn at_work(&self) -> String {
        let position = self.begun().checked_sub(self.answered + 1);
        match (position.and_then(|position| self.sent.get(position as usize)), self.sent.first(), &self.greeting) {
            (Some(request), _, _) => request.to_string(),
            (None, Some(request), Some(_)) => format!("before {request}"),
            _ => "before the first reset".into(),
        }
    }

    fn failed(&mut self, error: &std::io::Error) -> String {
        match error.kind() {
            ErrorKind::WouldBlock => self.hangs(),
            _ => self.died(),
        }
    }

    /// Ends the process and describes the request that hangs.
    fn hangs(&mut self) -> String {
        let (at_work, process, timeout) = (self.at_work(), self.child.id(), self.timeout.as_secs_f64());
        self.signal(Signal::ABORT); // has Python write where it is
        self.wait(Duration::from_millis(500));
        self.signal(Signal::KILL);
        format!(
            "{at_work}: no answer from the Python process {process} for {timeout} s, so it was ended (it wrote where it \
             hung to standard error); if the environment may take longer, raise environment.timeout"
        )
    }

    /// Describes the request in which the process died.
    fn died(&mut self) -> String {
        let (at_work, process) = (self.at_work(), self.child.id());
        let status = self.wait(Duration::from_secs(1));
        self.signal(Signal::KILL);
        let how = match (status, status.and_then(|status| status.signal())) {
            (_, Some(signal)) => format!("was killed by signal {signal}"),
            (Some(status), None) => format!("exited with code {}", status.code().unwrap_or_default()),
            (None, None) => "closed its connection".into(),
        };
        format!("{at_work}: the Python process {process} {how}; standard error may say why")
    }

    /// Waits for the process to end.
    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let since = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if since.elapsed() < patience => thread::sleep(Duration::from_millis(2)),
                result => return result.ok().flatten(),
            }
        }
    }

    /// Sends a signal to the process and its children.
    fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process_group(group, signal); // it may have ended
        }
    }
}

impl Drop for Process {
    /// Lets the worker close its environments, and ends what is left.
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.wait(FAREWELL);
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Starts a command from a thread that lives as long as the program: on Linux, a worker asks to be killed when the thread
/// that started it ends.
fn spawn(command: Command) -> std::io::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let child = command.spawn();
                drop(command); // with our copies of the child's descriptors
                let _ = reply.send(child);
            }
        });
        sender
    });
    let (reply, child) = mpsc::channel();
    STARTER.send((command, reply)).expect("the thread never ends");
    child.recv().expect("the thread answers")
}

/// Tests with shell scripts in place of Python.
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A greeting: vectors of one value, two actions.
    const GREETING: &str = r#"greet '{"space":{"shape":[1],"dtype":"f32"},"actions":2,"fps":30,"gymnasium":"1.4.0"}'"#;

    /// Functions for the scripts: descriptor 0 is the socket, 1 the file.
    const FUNCTIONS: &str = r#"#!/bin/sh
        greet() { printf "\\$(printf %o ${#1})\\0\\0\\0%s" "$1" >&0; }
        read_request() { head -c 20 <&0 >/dev/null; }
        begin() { printf '\1\0\0\0\0\0\0\0' >&1; }
        answer() { printf '\30\0\0\0\0\0\0\0\0\0\360\77\1\0\0\0\0\0\0\0\0\0\200\77\0\0\0\0' >&0; }
    "#;

    /// Starts a worker whose process runs a script.
    fn worker(script: &str) -> Worker {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python");
        std::fs::write(&path, format!("{FUNCTIONS}\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let python = path.to_str().unwrap().into();
        let mut worker = Worker::default();
        worker.start(&Launch { python, settings: String::new(), timeout: Duration::from_millis(300) }).unwrap();
        worker.greeting().map(drop).unwrap_or_default(); // so that the script was read before its folder is gone
        worker
    }

    /// Asks a worker for the fifth step of copy 3 and returns its error.
    fn failure(worker: &mut Worker) -> String {
        let request = Request { copy: 3, call: Call::Step { action: 1, step: 5 } };
        worker.queue(request);
        worker.send().and_then(|()| worker.answer(&request).map(|_| ())).unwrap_err()
    }

    #[test]
    fn a_step_is_answered_with_reward_flags_and_observation() {
        let mut worker = worker(&format!("{GREETING}; read_request; begin; answer; read_request"));
        assert_eq!(worker.greeting().unwrap().actions, 2);
        let request = Request { copy: 3, call: Call::Step { action: 1, step: 5 } };
        worker.queue(request);
        worker.send().unwrap();
        let answer = worker.answer(&request).unwrap();
        assert_eq!(answer.step(), Step { reward: 1.0, terminated: true, truncated: false });
        assert_eq!(answer.observation, 1f32.to_le_bytes());
    }

    #[test]
    fn a_worker_that_dies_or_hangs_is_told_with_copy_and_step() {
        for (script, expected) in [
            ("read_request; begin; exit 7", "copy 3, step 5 with action 1: the Python process"),
            ("read_request; begin; exit 7", "exited with code 7"),
            ("read_request; begin; kill -9 $$", "was killed by signal 9"),
            ("read_request; begin; sleep 60", "copy 3, step 5 with action 1: no answer from the Python process"),
            ("read_request; begin; sleep 60", "for 0.3 s"),
            ("read_request; exit 0", "before copy 3, step 5"),
        ] {
            let mut worker = worker(&format!("{GREETING}; {script}"));
            let message = failure(&mut worker);
            assert!(message.contains(expected), "{script}: {message}");
            assert_eq!(failure(&mut worker), message, "and so at every later call");
        }
    }

    #[test]
    fn a_worker_without_a_greeting_fails_once_it_is_used() {
        let mut early = worker("exit 3");
        assert!(failure(&mut early).starts_with("before the first reset: the Python process"));
        let mut refused = worker(r#"greet '{"error":"there is no such game"}'"#);
        assert_eq!(failure(&mut refused), "there is no such game");
    }

    #[test]
    fn a_python_that_is_missing_is_named() {
        let launch = Launch { python: "/no/python".into(), settings: String::new(), timeout: Duration::from_secs(1) };
        let message = Worker::default().start(&launch).unwrap_err();
        assert!(message.starts_with("environment.python = \"/no/python\": No such file"), "{message}");
    }
}
