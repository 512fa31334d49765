//! csrc/include/pagemap.h for Rust, by the rules of bindgen (--no-prepend-enum-name). Written by
//! `python -m tests.steps.rust_sys`; tests compare sizes, offsets and values with the compiler's.

use std::os::raw::{c_char, c_uint};

pub type pm_open_flag = c_uint;
pub const PM_OPEN_PIDFD: pm_open_flag = 1;
pub type pm_capability = c_uint;
pub const PM_CAN_PFNS: pm_capability = 1;
pub const PM_CAN_SCAN: pm_capability = 2;
pub const PM_CAN_SCAN_GUARD: pm_capability = 4;
pub const PM_CAN_SOFT_DIRTY: pm_capability = 8;
pub const PM_CAN_EXCLUSIVE: pm_capability = 16;
pub const PM_CAN_UFFD_WP: pm_capability = 32;
pub const PM_CAN_GUARD: pm_capability = 64;
pub const PM_CAN_QUERY_MAPS: pm_capability = 128;
pub const PM_CAN_TRACK: pm_capability = 256;
pub const PM_CAN_FRAME_FLAGS: pm_capability = 512;
pub const PM_CAN_FRAME_COUNTS: pm_capability = 1024;
pub type pm_mapping_flag = c_uint;
pub const PM_MAPPING_READ: pm_mapping_flag = 1;
pub const PM_MAPPING_WRITE: pm_mapping_flag = 2;
pub const PM_MAPPING_EXEC: pm_mapping_flag = 4;
pub const PM_MAPPING_SHARED: pm_mapping_flag = 8;
pub type pm_mapping_kind = c_uint;
pub const PM_MAPPING_ANONYMOUS: pm_mapping_kind = 1;
pub const PM_MAPPING_HEAP: pm_mapping_kind = 2;
pub const PM_MAPPING_STACK: pm_mapping_kind = 3;
pub const PM_MAPPING_SPECIAL: pm_mapping_kind = 4;
pub const PM_MAPPING_FILE: pm_mapping_kind = 5;
pub const PM_MAPPING_SHMEM: pm_mapping_kind = 6;
pub const PM_MAPPING_HUGETLB: pm_mapping_kind = 7;
pub const PM_MAPS_BUFFER: c_uint = 32768;
pub type pm_category = c_uint;
pub const PM_IS_WPALLOWED: pm_category = 1;
pub const PM_IS_WRITTEN: pm_category = 2;
pub const PM_IS_FILE: pm_category = 4;
pub const PM_IS_PRESENT: pm_category = 8;
pub const PM_IS_SWAPPED: pm_category = 16;
pub const PM_IS_PFNZERO: pm_category = 32;
pub const PM_IS_HUGE: pm_category = 64;
pub const PM_IS_SOFT_DIRTY: pm_category = 128;
pub const PM_IS_GUARD: pm_category = 256;
pub type pm_amount = c_uint;
pub const PM_AMOUNT_RSS: pm_amount = 1;
pub const PM_AMOUNT_SWAP: pm_amount = 2;
pub const PM_AMOUNT_ANON: pm_amount = 4;
pub const PM_AMOUNT_FILE_OR_SHARED: pm_amount = 8;
pub const PM_AMOUNT_HUGE: pm_amount = 16;
pub const PM_AMOUNT_USS: pm_amount = 32;
pub const PM_AMOUNT_PRESENT: pm_amount = 64;
pub const PM_AMOUNT_ZERO: pm_amount = 128;
pub const PM_AMOUNT_HUGETLB: pm_amount = 256;
pub const PM_SCRATCH: c_uint = 8192;
pub type pm_frames_what = c_uint;
pub const PM_FRAMES_FLAGS: pm_frames_what = 1;
pub const PM_FRAMES_COUNTS: pm_frames_what = 2;
pub const PM_FRAMES_CGROUPS: pm_frames_what = 4;
pub type pm_tracker_flag = c_uint;
pub const PM_TRACKER_UNTOUCHED: pm_tracker_flag = 1;
pub type pm_track_flag = c_uint;
pub const PM_TRACK_PEEK: pm_track_flag = 1;
pub type pm_written = c_uint;
pub const PM_WRITTEN_TRACKED: pm_written = 1;
pub const PM_WRITTEN_NEW: pm_written = 2;
pub const PM_WRITTEN_UNTRACKED: pm_written = 4;
pub const PM_WRITTEN_GONE: pm_written = 8;
pub const PM_VERSION_MAJOR: u32 = 0;
pub const PM_VERSION_MINOR: u32 = 1;
pub const PM_VERSION_PATCH: u32 = 0;
pub const PM_ABI: u32 = 0;
pub const PM_PAGE_PFN_MASK: u64 = 36028797018963967;
pub const PM_PAGE_SOFT_DIRTY: u64 = 36028797018963968;
pub const PM_PAGE_EXCLUSIVE: u64 = 72057594037927936;
pub const PM_PAGE_UFFD_WP: u64 = 144115188075855872;
pub const PM_PAGE_GUARD: u64 = 288230376151711744;
pub const PM_PAGE_FILE: u64 = 2305843009213693952;
pub const PM_PAGE_SWAPPED: u64 = 4611686018427387904;
pub const PM_PAGE_PRESENT: u64 = 9223372036854775808;
pub const PM_FRAMES_NO_WORD: u64 = 18446744073709551615;

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_process {
    _unused: [u8; 0],
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_open_options {
    pub size: u32,
    pub flags: u32,
    pub procfs: *const c_char,
    pub pidfd: i32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_capabilities {
    pub size: u32,
    pub page_shift: u32,
    pub known: u64,
    pub can: u64,
    pub end: u64,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_maps_cursor {
    pub state: [u64; 8usize],
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_mapping {
    pub size: u32,
    pub flags: u32,
    pub start: u64,
    pub end: u64,
    pub offset: u64,
    pub inode: u64,
    pub dev_major: u32,
    pub dev_minor: u32,
    pub kind: u32,
    pub path_size: u32,
    pub path: *const c_char,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_span {
    pub start: u64,
    pub end: u64,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_region {
    pub start: u64,
    pub end: u64,
    pub categories: u64,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_region_query {
    pub size: u32,
    pub flags: u32,
    pub all_of: u64,
    pub any_of: u64,
    pub none_of: u64,
    pub returned: u64,
    pub max_pages: u64,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_amounts {
    pub size: u32,
    pub partial: u32,
    pub known: u64,
    pub rss: u64,
    pub swap: u64,
    pub anon: u64,
    pub file_or_shared: u64,
    pub huge: u64,
    pub uss: u64,
    pub present: u64,
    pub zero: u64,
    pub hugetlb: u64,
    pub resume: u64,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_limits {
    pub size: u32,
    pub flags: u32,
    pub max_pages: u64,
    pub max_ns: u64,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_sampler {
    _unused: [u8; 0],
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_frames {
    _unused: [u8; 0],
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_tracker {
    _unused: [u8; 0],
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_tracker_options {
    pub size: u32,
    pub flags: u32,
    pub spans: *const pm_span,
    pub spans_count: u64,
    pub userfaultfd: i32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pm_tracker_cursor {
    pub state: [u64; 8usize],
}

#[link(name = "pagemap")]
extern "C" {
    pub fn pm_version() -> u32;
    pub fn pm_strerror(error: i32) -> *const c_char;
    pub fn pm_process_open(
        pid: i32,
        options: *const pm_open_options,
        out: *mut *mut pm_process,
    ) -> i32;
    pub fn pm_process_close(process: *mut pm_process);
    pub fn pm_process_pid(process: *const pm_process) -> i32;
    pub fn pm_process_check(process: *const pm_process) -> i32;
    pub fn pm_process_fileno(process: *const pm_process) -> i32;
    pub fn pm_process_capabilities(process: *mut pm_process, out: *mut pm_capabilities) -> i32;
    pub fn pm_maps_next(
        process: *mut pm_process,
        cursor: *mut pm_maps_cursor,
        buffer: *mut c_char,
        buffer_size: usize,
        out: *mut pm_mapping,
    ) -> i32;
    pub fn pm_process_entries(
        process: *const pm_process,
        address: u64,
        count: u64,
        out: *mut u64,
    ) -> i64;
    pub fn pm_process_entries_of(
        process: *const pm_process,
        spans: *const pm_span,
        count: u64,
        out: *mut u64,
        capacity: u64,
        stored: *mut u64,
    ) -> i64;
    pub fn pm_process_translate(
        process: *const pm_process,
        address: u64,
        physical: *mut u64,
    ) -> i32;
    pub fn pm_process_regions(
        process: *const pm_process,
        query: *const pm_region_query,
        start: u64,
        end: u64,
        out: *mut pm_region,
        capacity: u64,
        next: *mut u64,
    ) -> i64;
    pub fn pm_process_populated(
        process: *const pm_process,
        next: *mut u64,
        end: u64,
        entries: *mut u64,
        capacity: u64,
        runs: *mut pm_span,
        runs_capacity: u64,
        runs_stored: *mut u64,
    ) -> i64;
    pub fn pm_process_tally(
        process: *const pm_process,
        start: u64,
        end: u64,
        wanted: u64,
        limits: *const pm_limits,
        scratch: *mut u64,
        out: *mut pm_amounts,
    ) -> i32;
    pub fn pm_sampler_open(
        process: *mut pm_process,
        wanted: u64,
        out: *mut *mut pm_sampler,
    ) -> i32;
    pub fn pm_sampler_sample(
        sampler: *mut pm_sampler,
        limits: *const pm_limits,
        resume: u64,
        out: *mut pm_amounts,
    ) -> i32;
    pub fn pm_sampler_rss(sampler: *mut pm_sampler) -> i64;
    pub fn pm_sampler_close(sampler: *mut pm_sampler);
    pub fn pm_frames_open(procfs: *const c_char, what: u32, out: *mut *mut pm_frames) -> i32;
    pub fn pm_frames_words(
        frames: *const pm_frames,
        what: u32,
        pfns: *const u64,
        count: u64,
        scratch: *mut u64,
        scratch_words: u64,
        out: *mut u64,
    ) -> i64;
    pub fn pm_frames_close(frames: *mut pm_frames);
    pub fn pm_tracker_open(
        process: *mut pm_process,
        options: *const pm_tracker_options,
        out: *mut *mut pm_tracker,
    ) -> i32;
    pub fn pm_tracker_collect(
        tracker: *mut pm_tracker,
        cursor: *mut pm_tracker_cursor,
        flags: u32,
        out: *mut pm_region,
        capacity: u64,
    ) -> i64;
    pub fn pm_tracker_close(tracker: *mut pm_tracker);
}
