//! What a look at a guest's memory costs: which pages are populated, and which were written.
//!
//! The rival is what a monitor does without KVM's log of dirty pages: mincore(2) over all of the
//! memory, as Firecracker asks which pages are resident, and beside it a copy of the memory as it
//! was at the last look, with which each resident page is compared, and into which it is copied
//! where it differs. Both must find the same pages. Also told: mincore with the bitmap made of it
//! alone, which says nothing of writes.
//!
//! `guest_memory MIB LOOKS` prints nanoseconds of each look: ours, the rival's, mincore's.

use std::os::raw::{c_int, c_void};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

#[path = "../examples/guest_memory.rs"]
mod guest_memory;
use guest_memory::{GuestMemory, Pages, PAGE};

extern "C" {
    fn mincore(at: *mut c_void, size: usize, resident: *mut u8) -> c_int;
}

fn resident(guest: &GuestMemory, bytes: &mut [u8]) -> Pages {
    let at = guest.word(0, 0) as *const _ as *mut c_void;
    assert_eq!(unsafe { mincore(at, guest.pages() * PAGE, bytes.as_mut_ptr()) }, 0);
    let mut found = Pages::none(guest.pages());
    for (page, byte) in bytes.iter().enumerate() {
        if byte & 1 == 1 {
            found.set(page, page + 1);
        }
    }
    found
}

fn changed(guest: &GuestMemory, resident: &Pages, copy: &mut [u8]) -> Pages {
    let mut found = Pages::none(guest.pages());
    for (page, was) in copy.chunks_mut(PAGE).enumerate().filter(|(page, _)| resident.has(*page)) {
        let at = guest.word(page, 0) as *const _ as *const u8;
        let now = unsafe { std::slice::from_raw_parts(at, PAGE) }; // nobody writes meanwhile
        if now != was {
            was.copy_from_slice(now);
            found.set(page, page + 1);
        }
    }
    found
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let (pages, looks) = ((numbers[0] << 20) / PAGE, numbers[1]);
    let mut guest = GuestMemory::new(pages).unwrap_or_else(|error| panic!("{}", error));
    let (mut bytes, mut copy) = (vec![0; pages], vec![0; pages * PAGE]);
    let populated = pages / 4 * 3; // three quarters
    for page in 0..populated {
        guest.word(page, 0).store(1, Relaxed);
    }
    if let Err(error) = guest.track() {
        eprintln!("{}", error);
        std::process::exit(77);
    }
    let first = resident(&guest, &mut bytes);
    changed(&guest, &first, &mut copy);
    for look in 0..looks {
        let mut wanted = Pages::none(pages);
        for page in (look % 100..populated).step_by(100) {
            guest.word(page, 1 + look % 500).fetch_add(1, Relaxed);
            wanted.set(page, page + 1);
        }
        let began = Instant::now();
        let written = guest.written().unwrap_or_else(|error| panic!("{}", error));
        let there = guest.populated().unwrap_or_else(|error| panic!("{}", error));
        let ours = began.elapsed().as_nanos();
        let began = Instant::now();
        let known = resident(&guest, &mut bytes);
        let mincores = began.elapsed().as_nanos();
        let differ = changed(&guest, &known, &mut copy);
        let rivals = began.elapsed().as_nanos();
        assert!(written == wanted && differ == wanted && known == there && there.count() == populated);
        println!("{} {} {}", ours, rivals, mincores);
    }
}
