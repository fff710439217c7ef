//! How Asterix and Seaquest become harder: [`Ramp`].

/// Intervals, in steps, that shrink from stage to stage: the one between spawns at each, the one between moves at every
/// second.
#[derive(Clone, Debug)]
pub struct Ramp {
    pub spawn_interval: u32,
    pub move_interval: u32,
    shortest_move_interval: u32,
    stage: u32,
}

impl Ramp {
    /// Returns the first stage.
    pub fn new(spawn_interval: u32, move_interval: u32, shortest_move_interval: u32) -> Self {
        Self { spawn_interval, move_interval, shortest_move_interval, stage: 0 }
    }

    /// Returns whether an interval can still shrink.
    pub fn can_advance(&self) -> bool {
        self.spawn_interval > 1 || self.move_interval > self.shortest_move_interval
    }

    /// Goes to the next stage.
    pub fn advance(&mut self) {
        if self.move_interval > self.shortest_move_interval && self.stage % 2 == 1 {
            self.move_interval -= 1;
        }
        if self.spawn_interval > 1 {
            self.spawn_interval -= 1;
        }
        self.stage += 1;
    }
}
