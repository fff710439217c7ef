//! Environments of Gymnasium, in Python processes: [`Gymnasium`].
//!
//! Gymnasium is in Python, and so are most environments for it. A worker process steps some copies of an environment
//! ([`worker`]); a [`pool`] shares the copies among workers; [`environment`] makes a copy an
//! [`Environment`](crate::Environment). Nothing of Python is needed before the first environment is made.

mod environment;
mod pool;
mod settings;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};

pub use environment::GymnasiumEnv;
pub use settings::{GymnasiumSettings, WrapperSettings};

use crate::{ActionSpace, EnvSpec, EnvironmentError};
use pool::Pool;

/// The prefix of the names of Gymnasium's environments: the name of `CartPole-v1` is `gymnasium:CartPole-v1`.
pub const GYMNASIUM_PREFIX: &str = "gymnasium:";

/// Makes environments of Gymnasium by their ids. Clones share the worker processes, which end with the last clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gymnasium {
    pools: Arc<Mutex<Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    id: String,
    settings: GymnasiumSettings,
    pool: Arc<Pool>,
}

impl Gymnasium {
    /// Returns the specification of the environment with this name; none for a name without the prefix. Spaces and frames
    /// per second are known once an environment was made.
    pub fn spec(&self, name: &str) -> Option<EnvSpec> {
        let id = name.strip_prefix(GYMNASIUM_PREFIX)?.to_owned();
        let made =
            self.pools().iter().find_map(|entry| entry.pool.known_greeting().filter(|_| entry.id == id).cloned());
        let gymnasium = self.clone();
        let named = name.to_owned();
        let make = move |settings: GymnasiumSettings| {
            let env = gymnasium.pool(&id, settings).and_then(GymnasiumEnv::new);
            env.map_err(|error| EnvironmentError::InEnvironment { name: named.clone(), source: error.into() })
        };
        let mut spec = EnvSpec::new(name, make);
        if let Some(greeting) = made {
            spec.obs_dim = greeting.space.shape.iter().product();
            spec.actions = ActionSpace::Discrete(greeting.actions);
            spec.fps = greeting.fps;
        }
        Some(spec)
    }

    /// Returns the pool of an environment with these settings.
    fn pool(&self, id: &str, settings: GymnasiumSettings) -> Result<Arc<Pool>, EnvironmentError> {
        let mut pools = self.pools();
        pools.retain(|entry| !entry.pool.has_failed());
        if let Some(entry) = pools.iter().find(|entry| entry.id == id && entry.settings == settings) {
            return Ok(entry.pool.clone());
        }
        let pool = Arc::new(Pool::new(id, &settings)?);
        pools.push(Entry { id: id.into(), settings, pool: pool.clone() });
        Ok(pool)
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
