//! Is each write to a guest's memory in a round that can have seen it, and nothing else?
//!
//! `guest_rounds PAGES ROUNDS SEED`: threads write, read, and have pages put in swap at random,
//! while rounds are collected. Of each write it is logged how many rounds had ended when it began,
//! and when it was done: so it is in one of these from that number on, up to the one after. What no
//! write explains was made up. A copy of the memory, of which only what was written is renewed
//! after each round, must be equal to it in the end. Prints what it saw, or panics.

use std::collections::HashMap;
use std::os::raw::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

#[path = "../examples/guest_memory.rs"]
mod guest_memory;
use guest_memory::{GuestMemory, Pages, PAGE};

const WORDS: usize = PAGE / 8;
const WRITERS: u64 = 2;

extern "C" {
    fn madvise(at: *mut c_void, size: usize, advice: c_int) -> c_int;
    fn mincore(at: *mut c_void, size: usize, resident: *mut u8) -> c_int;
}
const MADV_NOHUGEPAGE: c_int = 15;
const MADV_PAGEOUT: c_int = 21;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

fn advise(guest: &GuestMemory, start: usize, count: usize, advice: c_int) {
    let at = guest.word(start, 0) as *const _ as *mut c_void;
    assert_eq!(unsafe { madvise(at, count * PAGE, advice) }, 0);
}

/// What threads share, besides the memory.
struct Shared<'a> {
    guest: &'a GuestMemory,
    ended: AtomicUsize,     // rounds
    limit: AtomicUsize,     // pages below are in use: it grows, so that some are always new
    touching: Vec<AtomicBool>, // of each page, whether somebody has begun to touch it,
    written: Vec<AtomicBool>,  // and has written to it: what is only read may go again
    writes: AtomicUsize,
    stop: AtomicBool,
}

/// Threads stop, also where the one that collects panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

struct Write {
    page: u32,
    from: u32,
    done: u32,
}

fn write(shared: &Shared, seed: u64) -> Vec<Write> {
    let mut random = Random(seed);
    let mut log = Vec::new();
    while !shared.stop.load(SeqCst) {
        for _ in 0..random.below(40) {
            let page = random.below(shared.limit.load(SeqCst));
            let from = shared.ended.load(SeqCst) as u32;
            shared.touching[page].store(true, SeqCst);
            if random.below(4) == 0 {
                unsafe { std::ptr::read_volatile(shared.guest.word(page, 0)) }; // not left out
            } else {
                shared.guest.word(page, random.below(WORDS)).fetch_add(1, SeqCst);
                let done = shared.ended.load(SeqCst) as u32;
                log.push(Write { page: page as u32, from, done });
                shared.written[page].store(true, SeqCst);
                shared.writes.fetch_add(1, SeqCst);
            }
        }
        thread::sleep(Duration::from_micros(random.below(100) as u64));
    }
    log
}

/// Have pages put in swap, those just written too.
fn evict(shared: &Shared, seed: u64) {
    let mut random = Random(seed);
    while !shared.stop.load(SeqCst) {
        let limit = shared.limit.load(SeqCst);
        let start = random.below(limit);
        let count = 1 + random.below(32.min(limit - start));
        advise(shared.guest, start, count, MADV_PAGEOUT);
        thread::sleep(Duration::from_micros(random.below(200) as u64));
    }
}

/// Pages that there are, and that mincore says nothing of.
fn in_swap(guest: &GuestMemory, populated: &Pages) -> usize {
    let mut resident = vec![0; guest.pages()];
    let at = guest.word(0, 0) as *const _ as *mut c_void;
    assert_eq!(unsafe { mincore(at, guest.pages() * PAGE, resident.as_mut_ptr()) }, 0);
    (0..guest.pages()).filter(|&page| populated.has(page) && resident[page] & 1 == 0).count()
}

fn copy(guest: &GuestMemory, page: usize, into: &mut [u64]) {
    for (word, value) in into.iter_mut().enumerate() {
        *value = guest.word(page, word).load(SeqCst);
    }
}

fn loaded(flags: &[AtomicBool]) -> Vec<bool> {
    flags.iter().map(|flag| flag.load(SeqCst)).collect()
}

/// The populated pages are those written before, and none that nobody touched by then.
fn check_populated(shared: &Shared) -> Pages {
    let before = loaded(&shared.written);
    let populated = shared.guest.populated().unwrap_or_else(|error| panic!("{}", error));
    let after = loaded(&shared.touching);
    for page in 0..shared.guest.pages() {
        assert!(populated.has(page) || !before[page], "page {} is missing", page);
        assert!(!populated.has(page) || after[page], "page {} was never touched", page);
    }
    populated
}

fn check_rounds(rounds: &[Pages], log: &[Write], pages: usize) {
    let mut explained: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
    for write in log {
        let mut possible = write.from..=write.done + 1;
        assert!(
            possible.any(|round| rounds[round as usize].has(write.page as usize)),
            "lost: page {} in rounds {} to {}", write.page, write.from, write.done + 1
        );
        explained.entry(write.page).or_default().push((write.from, write.done + 1));
    }
    for page in 0..pages {
        let mut known = explained.remove(&(page as u32)).unwrap_or_default();
        known.sort_unstable();
        let (mut next, mut until) = (0, None);
        for (number, round) in rounds.iter().enumerate() {
            while next < known.len() && known[next].0 as usize <= number {
                until = until.max(Some(known[next].1 as usize));
                next += 1;
            }
            assert!(
                !round.has(page) || until >= Some(number),
                "made up: page {} in round {}", page, number
            );
        }
    }
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let (pages, count, seed) = (numbers[0] as usize, numbers[1] as usize, numbers[2].max(1));
    let mut tracked = GuestMemory::new(pages).unwrap_or_else(|error| panic!("{}", error));
    advise(&tracked, 0, pages, MADV_NOHUGEPAGE); // else a write would be one to 512 pages
    if let Err(error) = tracked.track() {
        eprintln!("{}", error);
        std::process::exit(77);
    }
    // what is collected, by the one thread that does, is apart from what all threads touch
    let (guest, collected) = {
        let raw: *mut GuestMemory = &mut tracked;
        unsafe { (&*raw, &mut *raw) }
    };
    let flags = || (0..pages).map(|_| AtomicBool::new(false)).collect();
    let shared = Shared {
        guest,
        ended: AtomicUsize::new(0),
        limit: AtomicUsize::new(pages / 8),
        touching: flags(),
        written: flags(),
        writes: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    let mut replica = vec![0; pages * WORDS];
    let mut rounds = Vec::new();
    let (mut written, mut swapped) = (0, 0);
    let mut collect = |replica: &mut [u64]| {
        let found = collected.written().unwrap_or_else(|error| panic!("{}", error));
        written += found.count();
        for (page, words) in replica.chunks_mut(WORDS).enumerate().filter(|(page, _)| found.has(*page)) {
            copy(guest, page, words);
        }
        rounds.push(found);
    };
    let log: Vec<Write> = thread::scope(|threads| {
        let shared = &shared;
        let stop = Stop(&shared.stop);
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| threads.spawn(move || write(shared, seed + 7919 * number)))
            .collect();
        threads.spawn(move || evict(shared, seed + 104_729));
        let mut random = Random(seed);
        for number in 0..count {
            // rounds of no write at all, and of many
            let until = shared.writes.load(SeqCst) + random.below(60);
            while shared.writes.load(SeqCst) < until {
                thread::sleep(Duration::from_micros(10));
            }
            collect(&mut replica);
            shared.ended.fetch_add(1, SeqCst);
            shared.limit.store(pages / 8 + (pages - pages / 8) * number / count, SeqCst);
            if number % 16 == 0 {
                swapped += in_swap(guest, &check_populated(shared));
            }
        }
        drop(stop);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    collect(&mut replica);
    collect(&mut replica);
    check_rounds(&rounds, &log, pages);
    let mut now = vec![0; WORDS];
    for (page, words) in replica.chunks(WORDS).enumerate() {
        copy(guest, page, &mut now);
        assert!(now == words, "page {} differs from its copy", page);
    }
    println!("rounds {} writes {} written {} swapped {}", rounds.len(), log.len(), written, swapped);
}
