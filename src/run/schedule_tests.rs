//! The schedule in every order of steps that a few lanes can take, and in many random ones of more.
//!
//! Lanes are driven one step at a time by the test, which chooses the lane: each step is what a lane
//! does under the lock. A lane that waits takes no step until it is woken as the schedule says. So an
//! order in which a wake-up is lost ends with lanes that wait for ever, and that is an error. The
//! bytes that a reader waits for come at any moment, which is a step of its own.

use std::collections::BTreeSet;

use super::READY;
use super::schedule::{Control, Made, Open, Policy, Position, Schedule, Turn, Wake};

/// How an order of steps is chosen.
enum Choices {
    /// All of them, one after the other: each choice with the number of ways, and the way taken.
    All {
        taken: Vec<(usize, usize)>,
        at: usize,
    },
    Random(u64),
}

impl Choices {
    fn of(&mut self, ways: usize) -> usize {
        match self {
            Self::All { taken, at } => {
                if *at == taken.len() {
                    taken.push((ways, 0));
                }
                *at += 1;
                taken[*at - 1].1
            }
            Self::Random(seed) => {
                *seed ^= *seed << 13;
                *seed ^= *seed >> 7;
                *seed ^= *seed << 17;
                (*seed >> 11) as usize % ways
            }
        }
    }

    /// Goes on to the next order; says whether there is one.
    fn advance(&mut self) -> bool {
        let Self::All { taken, at } = self else { return false };
        *at = 0;
        while let Some((ways, way)) = taken.pop() {
            if way + 1 < ways {
                taken.push((ways, way + 1));
                return true;
            }
        }
        false
    }
}

/// What happens in a run.
#[derive(Debug, Clone)]
struct Case {
    policy: Policy,
    lanes: usize,
    /// The blocks of each partition.
    blocks: Vec<usize>,
    /// The weight of a block.
    weight: usize,
    /// The block whose work fails, or that cannot be read.
    fails: Option<(Position, Fails)>,
    /// After so many steps the run is control so.
    control: Option<(usize, Control)>,
    /// What cannot be read before bytes have come.
    pends: Vec<Position>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    Read,
    Work,
}

#[derive(Debug)]
enum Lane {
    Turns,
    Waits,
    Reads(Open<()>),
    /// It has a reader whose bytes are on their way.
    Pends(Open<()>),
    Works(Position),
    Exited,
}

struct Run<'c> {
    case: &'c Case,
    schedule: Schedule<(), Position>,
    lanes: Vec<(Lane, Option<usize>, Option<Position>)>,
    worked: BTreeSet<Position>,
    /// Results that wait in a window.
    results: BTreeSet<Position>,
    handed_on: Vec<Position>,
    opened: Vec<usize>,
    control: Control,
    /// What has pended.
    pended: BTreeSet<Position>,
    /// Partitions whose bytes are on their way, and those whose bytes have come, which no lane knows.
    coming: Vec<usize>,
    came: Vec<usize>,
}

impl<'c> Run<'c> {
    fn new(case: &'c Case) -> Self {
        Self {
            case,
            schedule: Schedule::new(case.blocks.len(), case.lanes, case.policy),
            lanes: (0..case.lanes).map(|_| (Lane::Turns, None, None)).collect(),
            worked: BTreeSet::new(),
            results: BTreeSet::new(),
            handed_on: Vec::new(),
            opened: Vec::new(),
            control: Control::Continue,
            pended: BTreeSet::new(),
            coming: Vec::new(),
            came: Vec::new(),
        }
    }

    /// Goes through one order to its end.
    fn run(mut self, choices: &mut Choices) {
        let control = self.case.control;
        for steps in 0.. {
            assert!(steps < 10_000, "it comes to an end");
            if let Some((_, control)) = control.filter(|(at, _)| *at == steps) {
                self.control = control;
                self.wake(Wake::All, choices);
            }
            let can_step = |(_, (lane, ..)): &(usize, &(Lane, _, _))| {
                !matches!(lane, Lane::Waits | Lane::Exited)
            };
            let able: Vec<usize> =
                self.lanes.iter().enumerate().filter(can_step).map(|(n, _)| n).collect();
            let ways = able.len() + self.coming.len();
            if ways == 0 {
                break;
            }
            let way = if ways > 1 { choices.of(ways) } else { 0 };
            match able.get(way) {
                Some(&n) => self.step(n, choices),
                None => {
                    self.came.push(self.coming.remove(way - able.len()));
                    self.wake(Wake::One, choices);
                }
            }
        }
        self.check();
    }

    fn step(&mut self, n: usize, choices: &mut Choices) {
        let lane = std::mem::replace(&mut self.lanes[n].0, Lane::Turns);
        match lane {
            Lane::Turns => self.turn(n, choices),
            Lane::Reads(open) => {
                let at = (open.partition, open.made);
                if self.case.pends.contains(&at) && self.pended.insert(at) {
                    self.coming.push(open.partition);
                    self.lanes[n].0 = Lane::Pends(open);
                } else {
                    self.read(n, open, choices);
                }
            }
            Lane::Pends(open) => {
                self.came.drain(..).for_each(|partition| self.schedule.set_ready(partition));
                if let Some(wake) = self.schedule.pends(open) {
                    self.wake(wake, choices);
                }
            }
            Lane::Works(at) => self.work(at, choices),
            Lane::Waits | Lane::Exited => unreachable!("it takes no step"),
        }
    }

    fn turn(&mut self, n: usize, choices: &mut Choices) {
        let (_, own, last) = self.lanes[n];
        self.came.drain(..).for_each(|partition| self.schedule.set_ready(partition));
        let opened = &mut self.opened;
        let turn = self.schedule.turn((own, last), self.control, false, |partition| {
            opened.push(partition);
        });
        self.lanes[n].0 = match turn {
            Turn::Read(open) => {
                self.lanes[n].1 = Some(open.partition);
                Lane::Reads(open)
            }
            Turn::Work(at, block) => {
                assert_eq!(at, block);
                self.lanes[n].2 = Some(at);
                Lane::Works(at)
            }
            Turn::Wait => {
                self.schedule.waits(true);
                Lane::Waits
            }
            Turn::Exit => {
                self.wake(Wake::All, choices);
                Lane::Exited
            }
        };
    }

    fn read(&mut self, n: usize, open: Open<()>, choices: &mut Choices) {
        let at = (open.partition, open.made);
        let wake = if self.case.fails == Some((at, Fails::Read)) {
            self.schedule.failed(at);
            if self.is_window() {
                self.results.insert(at);
                self.schedule.result();
            }
            Wake::All
        } else if self.control != Control::Continue || open.made == self.case.blocks[open.partition]
        {
            self.schedule.ended(open.partition, open.made)
        } else {
            let (made, wake) = self.schedule.made(open, self.case.weight, at, false);
            match made {
                Made::Work(at, _) => {
                    self.lanes[n].2 = Some(at);
                    self.lanes[n].0 = Lane::Works(at);
                }
                Made::ReadOn(open) => self.lanes[n].0 = Lane::Reads(open),
                Made::Queued | Made::Unwanted(_) => {}
            }
            wake
        };
        self.looks(choices);
        self.wake(wake, choices);
    }

    fn work(&mut self, at: Position, choices: &mut Choices) {
        assert!(self.worked.insert(at), "{at:?} is worked on once");
        self.schedule.done(at);
        if self.case.fails == Some((at, Fails::Work)) {
            self.schedule.limit(at);
            self.wake(Wake::All, choices);
        }
        if self.is_window() {
            self.results.insert(at);
            self.schedule.result();
        }
        self.looks(choices);
    }

    /// What an end does: it hands results on, or ends a run that has failed.
    fn looks(&mut self, choices: &mut Choices) {
        if self.is_window() {
            while !self.schedule.has_enough() && self.results.remove(&self.schedule.next()) {
                let at = self.schedule.next();
                self.handed_on.push(at);
                self.schedule.handed_on();
                if self.case.fails.is_some_and(|(failed, _)| failed == at) {
                    self.schedule.end();
                    break;
                }
            }
            self.wake(Wake::All, choices);
        } else if self.schedule.settled().is_some() && !self.schedule.has_enough() {
            self.schedule.end();
            self.wake(Wake::All, choices);
        }
    }

    fn wake(&mut self, wake: Wake, choices: &mut Choices) {
        let waits = |(_, (lane, ..)): &(usize, &(Lane, _, _))| matches!(lane, Lane::Waits);
        let waiting: Vec<usize> =
            self.lanes.iter().enumerate().filter(waits).map(|(n, _)| n).collect();
        let woken = match wake {
            Wake::All => waiting,
            Wake::One if waiting.is_empty() => waiting,
            Wake::One => {
                let way = if waiting.len() > 1 { choices.of(waiting.len()) } else { 0 };
                vec![waiting[way]]
            }
        };
        for n in woken {
            self.schedule.waits(false);
            self.lanes[n].0 = Lane::Turns;
        }
    }

    fn is_window(&self) -> bool {
        matches!(self.case.policy, Policy::Window { .. })
    }

    fn check(&self) {
        let case = self.case;
        let all_exited = self.lanes.iter().all(|(lane, ..)| matches!(lane, Lane::Exited));
        assert!(all_exited, "a wake-up is lost: {:?} in {case:?}", self.lanes);
        assert!(self.opened.is_sorted() && self.opened.windows(2).all(|pair| pair[0] != pair[1]));
        let sizes = case.blocks.iter().enumerate();
        let all = sizes.flat_map(|(partition, blocks)| (0..*blocks).map(move |n| (partition, n)));
        let limit = case.fails.map(|(at, _)| at);
        match self.control {
            Control::Cancel => {}
            // Results of later partitions may be left over.
            Control::Stop => assert!(self.handed_on.is_sorted(), "{case:?}"),
            Control::Continue => {
                let wanted: BTreeSet<_> = all.filter(|at| limit.is_none_or(|l| *at < l)).collect();
                assert!(self.worked.is_superset(&wanted), "{:?} in {case:?}", self.worked);
                if limit.is_none() {
                    assert_eq!(self.worked, wanted);
                }
                if self.is_window() {
                    let expected: Vec<_> = wanted.into_iter().chain(limit).collect();
                    assert_eq!(self.handed_on, expected, "{case:?}");
                }
            }
        }
    }
}

/// Small runs under all policies, with a failure and an end at each point.
fn cases(lanes: usize, shapes: &[&[usize]], most_steps: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for policy in
        [Policy::Any, Policy::Runs, Policy::Window { room: 1 }, Policy::Window { room: 2 }]
    {
        for (blocks, weight) in shapes.iter().flat_map(|shape| [(shape, 1), (shape, READY + 1)]) {
            let (blocks, pends) = (blocks.to_vec(), Vec::new());
            let case = Case { policy, lanes, blocks, weight, fails: None, control: None, pends };
            cases.push(case.clone());
            let blocks = &case.blocks;
            for (partition, blocks) in blocks.iter().enumerate() {
                for at in 0..*blocks {
                    for fails in [Fails::Read, Fails::Work] {
                        let fails = Some(((partition, at), fails));
                        cases.push(Case { fails, ..case.clone() });
                    }
                }
            }
            for control in [Control::Stop, Control::Cancel] {
                let control = |at| Case { control: Some((at, control)), ..case.clone() };
                cases.extend((0..most_steps).map(control));
            }
        }
    }
    cases
}

/// The same where a read pends: the first of all, or all of them.
fn pending(cases: Vec<Case>) -> impl Iterator<Item = Case> {
    let cases = cases.into_iter().filter(|case| !case.blocks.is_empty());
    cases.flat_map(|case| {
        let sizes = case.blocks.iter().enumerate();
        // That nothing is left pends too.
        let all = sizes.flat_map(|(partition, blocks)| (0..=*blocks).map(move |n| (partition, n)));
        let is_plain = case.fails.is_none() && case.control.is_none();
        let all = is_plain.then(|| Case { pends: all.collect(), ..case.clone() });
        [Case { pends: vec![(0, 0)], ..case }].into_iter().chain(all)
    })
}

#[test]
fn every_order_of_two_lanes_works_on_each_block_once_and_loses_no_wake_up() {
    let mut orders = 0;
    let mut all = cases(2, &[&[], &[0], &[2], &[1, 1], &[0, 2]], 8);
    // Of larger ones there are millions of orders.
    let single = |case: &Case| case.pends.len() == 1;
    all.extend(pending(cases(2, &[&[1]], 3)).filter(single));
    let plain = |case: &Case| single(case) && case.fails.is_none() && case.weight == 1;
    all.extend(pending(cases(2, &[&[2], &[0, 1]], 0)).filter(plain));
    for case in all {
        let mut choices = Choices::All { taken: Vec::new(), at: 0 };
        loop {
            Run::new(&case).run(&mut choices);
            orders += 1;
            if !choices.advance() {
                break;
            }
        }
    }
    assert!(orders > 100_000, "{orders} orders");
}

#[test]
fn random_orders_of_many_lanes_work_on_each_block_once_and_lose_no_wake_up() {
    let shapes: [&[usize]; 4] = [&[7], &[1, 0, 5, 2], &[3, 3, 3], &[0, 0, 1, 1, 1, 1, 1]];
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for lanes in [1, 2, 3, 5] {
        let all = cases(lanes, &shapes, 12);
        for case in pending(all.clone()).chain(all) {
            for _ in 0..20 {
                seed += 2;
                Run::new(&case).run(&mut Choices::Random(seed));
            }
        }
    }
}

#[test]
fn a_lane_that_waits_is_given_a_block_and_then_some_lie_ready() {
    let mut schedule: Schedule<(), u8> = Schedule::new(1, 2, Policy::Any);
    let quarter = READY / 4;
    let Turn::Read(mut open) = schedule.turn((None, None), Control::Continue, false, drop) else {
        unreachable!("nobody has read it")
    };
    // A lane that waits is given a block of any size.
    assert!(matches!(schedule.turn((None, None), Control::Continue, false, drop), Turn::Wait));
    schedule.waits(true);
    for weight in [READY + 1, quarter] {
        let (Made::ReadOn(again), Wake::One) = schedule.made(open, weight, 0, false) else {
            unreachable!("a lane waits for it, or there is room")
        };
        open = again;
        if weight > READY {
            schedule.waits(false);
            assert!(matches!(
                schedule.turn((None, None), Control::Continue, false, drop),
                Turn::Work(..)
            ));
        }
    }
    for _ in 0..3 {
        let (Made::ReadOn(again), _) = schedule.made(open, quarter, 0, false) else {
            unreachable!("there is room")
        };
        open = again;
    }
    let (made, _) = schedule.made(open, quarter, 0, false);
    assert!(matches!(made, Made::Work((0, 5), 0)), "enough lies ready: {made:?}");
}
