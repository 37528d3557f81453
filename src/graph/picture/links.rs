//! The arrows of a picture, looked up from either end.

/// For each box, those that it is made from and those that are made from it.
pub(super) struct Links {
    before: Lists,
    after: Lists,
}

/// Many lists behind one another: two allocations, however many boxes there are.
struct Lists {
    /// Where the list of a box starts; one more at the end.
    starts: Vec<usize>,
    items: Vec<u32>,
}

impl Links {
    pub(super) fn new(boxes: usize, arrows: &[(usize, usize)]) -> Self {
        Self {
            before: Lists::new(boxes, arrows.iter().map(|&(from, to)| (to, from))),
            after: Lists::new(boxes, arrows.iter().copied()),
        }
    }

    pub(super) fn before(&self, one: usize) -> &[u32] {
        self.before.of(one)
    }

    pub(super) fn after(&self, one: usize) -> &[u32] {
        self.after.of(one)
    }

    /// Every box behind all that it is made from.
    ///
    /// # Panics
    ///
    /// If a way leads back to where it started: tasks cannot wait for each other.
    pub(super) fn sorted(&self) -> Vec<usize> {
        let boxes = self.before.starts.len() - 1;
        let mut waits: Vec<_> = (0..boxes).map(|one| self.before(one).len()).collect();
        let mut order: Vec<_> = (0..boxes).filter(|&one| waits[one] == 0).collect();
        let mut next = 0;
        while let Some(&one) = order.get(next) {
            next += 1;
            for &user in self.after(one) {
                waits[user as usize] -= 1;
                if waits[user as usize] == 0 {
                    order.push(user as usize);
                }
            }
        }
        assert_eq!(order.len(), boxes, "tasks that wait for each other");
        order
    }

    /// How many arrows the longest way to each box has.
    pub(super) fn depths(&self, sorted: &[usize]) -> Vec<usize> {
        let mut depths = vec![0; sorted.len()];
        for &one in sorted {
            let above = self.before(one).iter().map(|&b| depths[b as usize] + 1);
            depths[one] = above.max().unwrap_or(0);
        }
        depths
    }
}

impl Lists {
    fn new(lists: usize, pairs: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0; lists + 1];
        for (of, _) in pairs.clone() {
            starts[of + 1] += 1;
        }
        for list in 0..lists {
            starts[list + 1] += starts[list];
        }
        let mut free = starts.clone();
        let mut items = vec![0; starts[lists]];
        for (of, item) in pairs {
            items[free[of]] = u32::try_from(item).expect("fewer boxes than 2^32");
            free[of] += 1;
        }
        Self { starts, items }
    }

    fn of(&self, list: usize) -> &[u32] {
        &self.items[self.starts[list]..self.starts[list + 1]]
    }
}
