//! The connections that one thread serves. When few places are left, the connections that were
//! idle longest are closed, so that they never keep new clients out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::turn::Turn;
use crate::telemetry::metrics;

/// One of this many places is kept free.
const FREE_ONE_IN: usize = 16;
/// Each search closes enough connections to free one of this many of the places that are kept
/// free.
const LOOKS_ONE_IN: usize = 4;

pub(in crate::http) struct Room {
    places: usize,
    turns: RefCell<Vec<Rc<Turn>>>,
    /// This many more connections may open before idle ones are searched for again.
    until_look: Cell<usize>,
}

/// The place of a connection while it is open.
pub(super) struct Seat {
    room: Rc<Room>,
    pub(super) turn: Rc<Turn>,
}

impl Room {
    /// Room for this many connections.
    pub(in crate::http) fn new(places: usize) -> Self {
        Self { places, turns: RefCell::default(), until_look: Cell::new(0) }
    }

    /// A place for the next connection.
    pub(super) fn seat(self: &Rc<Self>) -> Seat {
        let free = (self.places / FREE_ONE_IN).max(1);
        if self.turns.borrow().len() + free >= self.places {
            self.make_room(free);
        }
        let mut turns = self.turns.borrow_mut();
        let turn = Rc::new(Turn::at(turns.len()));
        turns.push(Rc::clone(&turn));
        Seat { room: Rc::clone(self), turn }
    }

    /// Closes the longest idle connections.
    fn make_room(&self, free: usize) {
        let at_once = (free / LOOKS_ONE_IN).max(1);
        if let Some(left) = self.until_look.get().checked_sub(1) {
            self.until_look.set(left);
            return;
        }
        self.until_look.set(at_once - 1);
        let turns = self.turns.borrow();
        let mut idle: Vec<&Rc<Turn>> = turns.iter().filter(|turn| turn.is_idle()).collect();
        if idle.len() > at_once {
            idle.select_nth_unstable_by_key(at_once - 1, |turn| turn.idle_since());
            idle.truncate(at_once);
        }
        metrics::idle_closed(idle.len());
        idle.into_iter().for_each(|turn| turn.close());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut turns = self.room.turns.borrow_mut();
        let place = self.turn.place();
        turns.swap_remove(place);
        if let Some(moved) = turns.get(place) {
            moved.move_to(place);
        }
    }
}
