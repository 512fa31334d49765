/*
 * What the C library adds to the kernel's price: entries of 16 pages against bare preads, and a
 * sample of rss and swap against a bare scan, by turns in one process. Compiled as a program with
 * the archive, or with BY_CAPSULE as an extension module, whose function `measure` calls it by the
 * capsule. Nanoseconds of the fastest round: pread, entries, scan, sample.
 */
#define _GNU_SOURCE
#ifdef BY_CAPSULE
#include <Python.h>
#include <pagemap_capi.h>
static const struct pm_capi *pm;
#define LIBRARY(name) pm->name
#else
#include <pagemap.h>
#define LIBRARY(name) pm_##name
#endif

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 16, CALLS = 2000, ROUNDS = 60, SCANS = 7, REGIONS = 512 };

static const size_t HELD = (size_t)1 << 30;

/* struct pm_scan_arg of the kernel's fs.h, which may be older than PAGEMAP_SCAN */
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, any_of,
		returned;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void keep_least(uint64_t *least, uint64_t began)
{
	const uint64_t spent = now() - began;

	if (!*least || spent < *least)
		*least = spent;
}

/* All that is present or swapped, told as a sample of rss and swap needs it. */
static int scan_all(int fd, uint64_t end)
{
	static uint64_t regions[3 * REGIONS];
	struct scan scan = { .size = sizeof(scan), .end = end, .vec_len = REGIONS };
	int found;

	scan.vec = (uint64_t)(uintptr_t)regions;
	scan.any_of = PM_IS_PRESENT | PM_IS_PFNZERO;
	scan.returned = PM_IS_PRESENT | PM_IS_PFNZERO;
	do {
		found = ioctl(fd, _IOWR('f', 16, struct scan), &scan);
		scan.start = scan.walk_end;
	} while (found == REGIONS);
	return found;
}

static int measure(uint64_t *least)
{
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	struct pm_capabilities about = { .size = sizeof(about) };
	char *held = mmap(NULL, HELD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t entries[PAGES], copy[PAGES], address = (uint64_t)(uintptr_t)held, page;
	struct pm_process *process;
	struct pm_sampler *sampler;
	int fd, wrong = 0;

	madvise(held, HELD, MADV_NOHUGEPAGE);
	memset(held, 1, HELD);
	if (LIBRARY(process_open)(getpid(), NULL, &process) ||
	    LIBRARY(process_capabilities)(process, &about) ||
	    LIBRARY(sampler_open)(process, PM_AMOUNT_RSS | PM_AMOUNT_SWAP, &sampler))
		return -1;
	page = UINT64_C(1) << about.page_shift;
	fd = LIBRARY(process_fileno)(process);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t began = now();

		for (unsigned i = 0; i < CALLS; i++)
			wrong |= pread(fd, copy, sizeof(copy), (off_t)(address / page * 8)) !=
				 sizeof(copy);
		keep_least(least, began);
		began = now();
		for (unsigned i = 0; i < CALLS; i++)
			wrong |= LIBRARY(process_entries)(process, address, PAGES, entries) !=
				 PAGES;
		keep_least(least + 1, began);
		wrong |= memcmp(entries, copy, sizeof(copy));
	}
	least[0] /= CALLS;
	least[1] /= CALLS;
	for (unsigned round = 0; round < SCANS; round++) {
		uint64_t began = now();

		wrong |= scan_all(fd, about.end) < 0;
		keep_least(least + 2, began);
		began = now();
		wrong |= LIBRARY(sampler_sample)(sampler, NULL, 0, &amounts);
		keep_least(least + 3, began);
		wrong |= amounts.rss < HELD;
	}
	LIBRARY(sampler_close)(sampler);
	LIBRARY(process_close)(process);
	munmap(held, HELD);
	return wrong ? -1 : 0;
}

#ifdef BY_CAPSULE
static PyObject *measured(PyObject *module, PyObject *nothing)
{
	uint64_t least[4] = { 0 };

	(void)module;
	(void)nothing;
	if (measure(least))
		return PyErr_Format(PyExc_RuntimeError, "the library and the kernel do not agree");
	return Py_BuildValue("KKKK", least[0], least[1], least[2], least[3]);
}

static PyMethodDef methods[] = {
	{ "measure", measured, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};
static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "library_floor",
	.m_methods = methods,
};
PyMODINIT_FUNC PyInit_library_floor(void)
{
	pm = pm_capi_import();
	return pm ? PyModule_Create(&module) : NULL;
}
#else
int main(void)
{
	uint64_t least[4] = { 0 };

	if (measure(least))
		return 1;
	printf("%llu %llu %llu %llu\n", (unsigned long long)least[0], (unsigned long long)least[1],
	       (unsigned long long)least[2], (unsigned long long)least[3]);
	return 0;
}
#endif
