//! Which pages of a guest's memory are populated, and which were written since the last look.
//!
//! The memory is a memfd, mapped shared, as that of a virtual machine whose vCPUs are threads of
//! its monitor. What the kernel has put in swap counts as populated, and what was written and then
//! put there as written: mincore(2) says of both that there is nothing.
//!
//!     rustc -O examples/guest_memory.rs $(pkg-config --libs-only-L pagemap) && ./guest_memory 64

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::raw::{c_char, c_int, c_uint, c_void};
use std::os::unix::io::{AsRawFd, FromRawFd};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

#[allow(dead_code, non_camel_case_types)]
mod pagemap_sys;
use pagemap_sys as sys;

pub const PAGE: usize = 4096;

extern "C" {
    fn memfd_create(name: *const c_char, flags: c_uint) -> c_int;
    fn mmap(at: *mut c_void, size: usize, prot: c_int, flags: c_int, fd: c_int, from: i64) -> *mut c_void;
    fn munmap(at: *mut c_void, size: usize) -> c_int;
    fn lseek(fd: c_int, offset: i64, whence: c_int) -> i64;
}

const MFD_CLOEXEC: c_uint = 1;
const PROT_READ_WRITE: c_int = 1 | 2;
const MAP_SHARED: c_int = 1;
const SEEK_DATA: c_int = 3;
const SEEK_HOLE: c_int = 4;

/// What libpagemap returned instead of a count, or the system instead of a descriptor.
#[derive(Debug)]
pub enum Error {
    Pagemap(i32),
    System(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::System(error) => error.fmt(out),
            Error::Pagemap(error) => {
                let words = unsafe { CStr::from_ptr(sys::pm_strerror(*error)) };
                write!(out, "{} ({})", words.to_string_lossy(), error)
            }
        }
    }
}

fn checked(result: i64) -> Result<usize, Error> {
    usize::try_from(result).map_err(|_| Error::Pagemap(result as i32))
}

fn system(result: i64) -> Result<usize, Error> {
    usize::try_from(result).map_err(|_| Error::System(io::Error::last_os_error()))
}

/// A bit for each page.
#[derive(Clone, PartialEq)]
pub struct Pages(Vec<u64>);

impl Pages {
    pub fn none(count: usize) -> Pages {
        Pages(vec![0; (count + 63) / 64])
    }

    pub fn set(&mut self, start: usize, end: usize) {
        let mut page = start;
        while page < end {
            let count = (64 - page % 64).min(end - page);
            self.0[page / 64] |= (u64::MAX >> (64 - count)) << (page % 64);
            page += count;
        }
    }

    pub fn has(&self, page: usize) -> bool {
        self.0[page / 64] >> (page % 64) & 1 == 1
    }

    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

pub struct GuestMemory {
    file: File,
    base: *mut u8,
    pages: usize,
    process: *mut sys::pm_process,
    tracker: *mut sys::pm_tracker,
    regions: Vec<sys::pm_region>,
}

// libpagemap's handles are of no thread; that of a tracker is used by one at a time: see &mut self.
unsafe impl Send for GuestMemory {}
unsafe impl Sync for GuestMemory {}

impl GuestMemory {
    pub fn new(pages: usize) -> Result<GuestMemory, Error> {
        let size = pages * PAGE;
        let name = b"guest\0".as_ptr() as *const c_char;
        let file = unsafe {
            let fd = system(memfd_create(name, MFD_CLOEXEC).into())?;
            File::from_raw_fd(fd as c_int)
        };
        file.set_len(size as u64).map_err(Error::System)?;
        let fd = file.as_raw_fd();
        let base = unsafe { mmap(ptr::null_mut(), size, PROT_READ_WRITE, MAP_SHARED, fd, 0) };
        if base as isize == -1 {
            return Err(Error::System(io::Error::last_os_error()));
        }
        let mut guest = GuestMemory {
            file,
            base: base as *mut u8,
            pages,
            process: ptr::null_mut(),
            tracker: ptr::null_mut(),
            regions: vec![sys::pm_region { start: 0, end: 0, categories: 0 }; 4096],
        };
        let pid = std::process::id() as i32;
        checked(unsafe { sys::pm_process_open(pid, ptr::null(), &mut guest.process) }.into())?;
        Ok(guest)
    }

    pub fn pages(&self) -> usize {
        self.pages
    }

    /// A word of a page, which a vCPU may read and write at any time.
    pub fn word(&self, page: usize, word: usize) -> &AtomicU64 {
        assert!(page < self.pages && word < PAGE / 8);
        unsafe { &*(self.base.add(page * PAGE + word * 8) as *const AtomicU64) }
    }

    fn page_of(&self, address: u64) -> usize {
        (address as usize - self.base as usize) / PAGE
    }

    /// The pages that there are. Of those that are not in the page table the file knows which are in
    /// swap, or were never mapped; to ask it for all of them would take many times as long.
    pub fn populated(&self) -> Result<Pages, Error> {
        let start = self.base as u64;
        let end = start + (self.pages * PAGE) as u64;
        let query = sys::pm_region_query {
            size: std::mem::size_of::<sys::pm_region_query>() as u32,
            flags: 0,
            all_of: 0,
            any_of: 0,
            none_of: sys::PM_IS_PRESENT.into(),
            returned: 0,
            max_pages: 0,
        };
        let mut regions = [sys::pm_region { start: 0, end: 0, categories: 0 }; 512];
        let mut found = Pages::none(self.pages);
        let (mut next, mut known) = (start, 0);
        while next < end {
            let count = checked(unsafe {
                sys::pm_process_regions(
                    self.process, &query, next, end, regions.as_mut_ptr(), 512, &mut next,
                )
            })?;
            for region in &regions[..count] {
                let (first, last) = (self.page_of(region.start), self.page_of(region.end));
                found.set(known, first);
                self.ask_file(first, last, &mut found)?;
                known = last;
            }
        }
        found.set(known, self.pages);
        Ok(found)
    }

    fn ask_file(&self, start: usize, end: usize, found: &mut Pages) -> Result<(), Error> {
        let fd = self.file.as_raw_fd();
        let mut at = (start * PAGE) as i64;
        while at < (end * PAGE) as i64 {
            let data = unsafe { lseek(fd, at, SEEK_DATA) };
            if data < 0 {
                let error = io::Error::last_os_error();
                const ENXIO: i32 = 6; // no data up to the end
                return if error.raw_os_error() == Some(ENXIO) { Ok(()) } else { Err(Error::System(error)) };
            }
            at = system(unsafe { lseek(fd, data, SEEK_HOLE) })? as i64;
            let first = (data as usize / PAGE).min(end);
            found.set(first, (at as usize / PAGE).min(end));
        }
        Ok(())
    }

    /// Begin to track writes.
    pub fn track(&mut self) -> Result<(), Error> {
        let start = self.base as u64;
        let span = sys::pm_span { start, end: start + (self.pages * PAGE) as u64 };
        let options = sys::pm_tracker_options {
            size: std::mem::size_of::<sys::pm_tracker_options>() as u32,
            flags: sys::PM_TRACKER_UNTOUCHED, // also pages that come and go between two looks
            spans: &span,
            spans_count: 1,
            userfaultfd: -1,
            reserved: 0,
        };
        checked(unsafe { sys::pm_tracker_open(self.process, &options, &mut self.tracker) }.into())?;
        Ok(())
    }

    /// The pages that were written since the last call, or since `track`.
    pub fn written(&mut self) -> Result<Pages, Error> {
        let mut found = Pages::none(self.pages);
        let mut cursor = sys::pm_tracker_cursor { state: [0; 8] };
        loop {
            let count = checked(unsafe {
                sys::pm_tracker_collect(
                    self.tracker, &mut cursor, 0, self.regions.as_mut_ptr(), self.regions.len() as u64,
                )
            })?;
            if count == 0 {
                return Ok(found);
            }
            for region in &self.regions[..count] {
                found.set(self.page_of(region.start), self.page_of(region.end));
            }
        }
    }
}

impl Drop for GuestMemory {
    fn drop(&mut self) {
        unsafe {
            sys::pm_tracker_close(self.tracker);
            sys::pm_process_close(self.process);
            munmap(self.base as *mut c_void, self.pages * PAGE);
        }
    }
}

/// A guest that boots, which touches a quarter of its memory, and then works on a part of that.
#[allow(dead_code)] // of whoever has this file as a module
fn main() -> Result<(), Error> {
    let mib = std::env::args().nth(1).map_or(64, |word| word.parse().expect("a size in MiB"));
    let mut guest = GuestMemory::new((mib << 20) / PAGE)?;
    guest.track()?;
    println!("{:>8} {:>10} {:>10}  of {} pages", "round", "populated", "written", guest.pages());
    for round in 0..4 {
        let (step, until) = if round == 0 { (1, guest.pages() / 4) } else { (10 * round, guest.pages() / 8) };
        std::thread::scope(|vcpus| {
            for vcpu in 0..2 {
                let guest = &guest;
                vcpus.spawn(move || {
                    for page in (vcpu * step..until).step_by(2 * step) {
                        guest.word(page, page % 512).fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let written = guest.written()?;
        println!("{:>8} {:>10} {:>10}", round, guest.populated()?.count(), written.count());
    }
    Ok(())
}
