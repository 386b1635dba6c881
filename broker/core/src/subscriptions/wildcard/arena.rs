//! Room for the nodes of a tree, which grows and shrinks by pieces.

use std::ops::{Index, IndexMut};

/// Values by small numbers. However many there are, putting one in moves no other, so that nobody waits long for it; and where
/// no value of a piece is left, its memory goes back.
pub(super) struct Arena<T> {
    /// The values of each piece; none where the piece has been given back.
    pieces: Vec<Box<[T]>>,
    /// The places of each piece that are not in use.
    free: Vec<Vec<u8>>,
    /// Pieces with places that are not in use, the latest last. One that was given back may still stand here.
    roomy: Vec<u32>,
    /// Pieces that were given back.
    given_back: Vec<u32>,
    used: usize,
}

/// A place in an arena.
pub(super) type Place = u32;

/// Values of a piece: so many that finding a piece costs little, and so few that some piece becomes empty soon.
const PIECE: usize = 256;

impl<T> Arena<T> {
    pub(super) fn new() -> Self {
        Self { pieces: Vec::new(), free: Vec::new(), roomy: Vec::new(), given_back: Vec::new(), used: 0 }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// How many places have memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    /// Puts a value somewhere; `unused` makes what stands in places not in use.
    pub(super) fn insert(&mut self, value: T, unused: impl FnMut() -> T) -> Place {
        let piece = self.with_room(unused);
        let free = &mut self.free[piece as usize];
        let at = free.pop().expect("a piece with room has a place that is not in use");
        if free.is_empty() {
            self.roomy.pop();
        }
        self.pieces[piece as usize][usize::from(at)] = value;
        self.used += 1;
        piece * PIECE as Place + Place::from(at)
    }

    /// Takes a value out, `unused` in its place.
    pub(super) fn remove(&mut self, place: Place, unused: T) -> T {
        let value = std::mem::replace(&mut self[place], unused);
        self.used -= 1;
        let (piece, at) = (place / PIECE as Place, (place % PIECE as Place) as u8);
        let free = &mut self.free[piece as usize];
        free.push(at);
        match free.len() {
            PIECE => {
                *free = Vec::new();
                self.pieces[piece as usize] = Box::default();
                self.given_back.push(piece);
            }
            1 => self.roomy.push(piece),
            _ => {}
        }
        value
    }

    /// The piece that the next value goes to, the last of the roomy ones.
    fn with_room(&mut self, unused: impl FnMut() -> T) -> u32 {
        while let Some(&piece) = self.roomy.last() {
            if !self.free[piece as usize].is_empty() {
                return piece;
            }
            self.roomy.pop();
        }
        let piece = self.given_back.pop().unwrap_or_else(|| {
            self.pieces.push(Box::default());
            self.free.push(Vec::new());
            u32::try_from(self.pieces.len() - 1).expect("memory ends before four thousand million nodes")
        });
        self.pieces[piece as usize] = std::iter::repeat_with(unused).take(PIECE).collect();
        self.free[piece as usize] = (0..=u8::MAX).rev().collect();
        self.roomy.push(piece);
        piece
    }
}

impl<T> Index<Place> for Arena<T> {
    type Output = T;

    fn index(&self, place: Place) -> &T {
        &self.pieces[place as usize / PIECE][place as usize % PIECE]
    }
}

impl<T> IndexMut<Place> for Arena<T> {
    fn index_mut(&mut self, place: Place) -> &mut T {
        &mut self.pieces[place as usize / PIECE][place as usize % PIECE]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn values_stay_where_they_are_and_empty_pieces_go_back() {
        let mut arena = Arena::new();
        let mut known = BTreeMap::new();
        let mut random = 1_u64;
        for round in 0..60_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // It grows, shrinks, and grows again.
            let grows = if round / 10_000 % 2 == 0 { 70 } else { 25 };
            if random >> 33 & 127 < grows * 128 / 100 {
                let place = arena.insert(round, || u64::MAX);
                assert_eq!(known.insert(place, round), None, "the place was in use");
            } else if let Some((&place, _)) = known.range((random >> 40) as u32 % 5000..).next() {
                assert_eq!(Some(arena.remove(place, u64::MAX)), known.remove(&place));
            }
            assert_eq!(arena.len(), known.len());
        }
        assert!(known.iter().all(|(place, value)| arena[*place] == *value));
        for place in known.into_keys() {
            arena.remove(place, u64::MAX);
        }
        assert_eq!((arena.len(), arena.capacity()), (0, 0));
    }
}
