/*
 * Which library this is, and what its errors mean.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "include/pagemap.h"

uint32_t pm_version(void)
{
	return PM_VERSION_MAJOR << 16 | PM_VERSION_MINOR << 8 | PM_VERSION_PATCH;
}

static const struct {
	int32_t error;
	const char *words;
} WORDS[] = {
	{ 0, "no error" },
	{ EINVAL, "an argument is not as the header asks: a NULL, the size of a struct, an unknown "
		  "flag, an address within a page, spans that are none, empty or out of order, a "
		  "userfaultfd that is none of the process, a pid below 1, or a procfs that is "
		  "none" },
	{ ESRCH, "the process has exited, or never was: open another" },
	{ ESTALE, "the process has called exec: open it again to see its new memory" },
	{ ECHILD, "this is a child of fork, and the handle shows the memory of its parent: open "
		  "one "
		  "of its own" },
	{ EACCES, "the process may not be read: run as its user, or with CAP_SYS_PTRACE; files "
		  "about frames take root" },
	{ EPERM, "the kernel hides this without a right: PFNs take CAP_SYS_ADMIN when the process "
		 "is opened, another user's process takes CAP_SYS_PTRACE" },
	{ ENOENT, "there is no such file in procfs: the kernel was built without it, or this proc "
		  "is mounted with subset=pid" },
	{ ENOTTY, "this kernel lacks it: PAGEMAP_SCAN takes Linux 6.7, tracking of writes 6.11" },
	{ ENXIO, "nothing is behind it: no page is present there, or the process is a thread of "
		 "the "
		 "kernel, without memory" },
	{ ENODATA, "the address lies past the address space" },
	{ EFAULT, "the range reaches past the address space, or a buffer is not where it was said "
		  "to be" },
	{ ENOSPC, "the buffer holds fewer entries than were asked for, and nothing was read" },
	{ ERANGE, "a path is longer than the buffer: take a larger one" },
	{ EOVERFLOW, "a number does not fit: it is no entry of a page table" },
	{ EBUSY, "it is in use: by the sample that this handler interrupted, or by another "
		 "userfaultfd" },
	{ EAGAIN, "it changed at every try: try again" },
	{ EBADF, "the file that it takes was not opened" },
	{ EIO, "the kernel gave less than a whole entry, or a number that is none" },
	{ ESPIPE, "what should be a file of procfs is a fifo: this proc is none of the kernel's" },
	{ ENOMEM, "there is no memory for a handle" },
	{ EMFILE, "this process has as many descriptors as it may: close some, or raise the limit "
		  "(ulimit -n)" },
	{ ENFILE, "this machine has as many open files as it may" },
	{ ENOSYS, "this kernel, or a filter of system calls, does not allow the call" },
};

const char *pm_strerror(int32_t error)
{
	/* of INT32_MIN there is no negative */
	const int32_t wanted = error < 0 && error != INT32_MIN ? -error : error;

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(*WORDS); i++)
		if (WORDS[i].error == wanted)
			return WORDS[i].words;
	return "an error of the kernel that this library has no words for: see strerror(3)";
}
