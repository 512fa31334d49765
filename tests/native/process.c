/*
 * A process is opened: what exec, zombies, rights and a lack of descriptors do at each step, and
 * arguments that are none.
 */
#include <fcntl.h>
#include <limits.h>

#include "process_files.h"

static void arguments(void)
{
	const size_t whole = sizeof(struct pm_open_options);
	struct pm_open_options options = { .size = (uint32_t)whole };
	struct pm_process *process = (void *)files;
	unsigned char *larger = exactly(whole + 8);

	tell();
	CHECK_EQUAL(opens(0, NULL, &process), -EINVAL);
	CHECK_EQUAL(opens(-1, NULL, &process), -EINVAL);
	CHECK_EQUAL(opens(INT_MIN, NULL, &process), -EINVAL);
	CHECK_EQUAL(opens(PID, NULL, NULL), -EINVAL);
	for (uint32_t size = 0; size < whole; size++) {
		options.size = size;
		CHECK_EQUAL(opens(PID, &options, &process), -EINVAL);
	}
	options = (struct pm_open_options){ .size = UINT32_MAX };
	CHECK_EQUAL(opens(PID, &options, &process), -EINVAL);
	options = (struct pm_open_options){ .size = (uint32_t)whole, .flags = 2 };
	CHECK_EQUAL(opens(PID, &options, &process), -EINVAL);
	options = (struct pm_open_options){ .size = (uint32_t)whole, .reserved = 1 };
	CHECK_EQUAL(opens(PID, &options, &process), -EINVAL);
	CHECK_EQUAL(lie.opened, 0);
	CHECK(process == (void *)files);

	/* a program that was built with a later header */
	options = (struct pm_open_options){ .size = (uint32_t)whole + 8 };
	memset(larger, 0, whole + 8);
	memcpy(larger, &options, whole);
	CHECK_EQUAL(opens(PID, (void *)larger, &process), 0);
	closes(process);
	larger[whole + 7] = 1;
	CHECK_EQUAL(opens(PID, (void *)larger, &process), -EINVAL);
	free(larger);

	closes(NULL);
	CHECK_EQUAL(checked(NULL), -EINVAL);
	CHECK_EQUAL(pm_process_pid(NULL), -EINVAL);
	CHECK_EQUAL(pm_process_fileno(NULL), -EINVAL);
	CHECK_EQUAL(pm_process_capabilities(NULL, NULL), -EINVAL);
}

static void one_that_lives(void)
{
	struct pm_process *process;

	tell();
	process = opened();
	CHECK(lie.last_open_flags & O_CLOEXEC);
	CHECK_EQUAL(checked(process), 0);
	CHECK_EQUAL(pm_process_pid(process), PID);
	CHECK_EQUAL(pm_process_fileno(process), LIE_NAMED + PAGEMAP);
	CHECK(process->known & process->can & PM_CAN_PFNS);
	closes(process);

	tell();
	lie.own_entry = PM_BIT(PM_PRESENT_BIT); /* hidden */
	process = opened();
	CHECK_EQUAL(process->can & PM_CAN_PFNS, 0);
	CHECK(process->known & PM_CAN_PFNS);
	closes(process);
}

/* "/proc" that is none, or shows nothing of the pid. */
static void places(void)
{
	tell();
	lie.open_error = ENOENT;
	failure_to_open(-EINVAL);
	lie.open_error = ENOTDIR;
	failure_to_open(-EINVAL);
	lie.open_error = EACCES;
	failure_to_open(-EACCES);
	tell();
	refuse(SELF, ENOENT);
	failure_to_open(-EINVAL);
	tell();
	refuse(FOLDER, ENOENT);
	failure_to_open(-ESRCH);
	refuse(FOLDER, EPERM);
	failure_to_open(-EPERM);
}

/* A descriptor less at each open: no other error, and none is left behind. */
static void no_descriptors(void)
{
	struct pm_process *process;
	unsigned at = 0;
	int32_t error;

	do {
		tell();
		lie.open_refused_at = ++at;
		error = opens(PID, NULL, &process);
		CHECK(!error || error == -EMFILE);
	} while (error);
	/* proc, self, folder, whether it is our own, auxv, pagemap, maps, auxv, our own, and none */
	CHECK_EQUAL(at, 10);
	lie.open_refused_at = 1;
	CHECK_EQUAL(checked(process), -EMFILE);
	CHECK_EQUAL(checked(process), 0);
	closes(process);
}

static unsigned images;

/* Exec between the two looks at the image: the first `images` times. */
static void exec_again(const char *name)
{
	static char image[24];

	if (strcmp(name, "auxv") != 0 || !images)
		return;
	images--;
	snprintf(image, sizeof(image), "image %u", images);
	file(AUXV, "auxv", image);
}

static unsigned dead;

/* The address space that is opened is the old one the first times. */
static void dead_at_first(const char *name)
{
	if (!strcmp(name, "pagemap"))
		lie.end = dead && dead-- ? 0 : PAGES;
}

static unsigned unfinished;

/* Exec has not made the vector yet the first times: what is read is its end alone. */
static void made_late(const char *name)
{
	static const uint64_t end[2];

	if (strcmp(name, "auxv") != 0)
		return;
	file(AUXV, "auxv", "the second image");
	if (unfinished && unfinished--)
		files[AUXV] = (struct lie_named){ "auxv", 0, end, sizeof(end) };
}

static void exec_while_opening(void)
{
	struct pm_process *process;

	tell();
	lie.at_open = exec_again;
	images = 3;
	process = opened();
	CHECK_EQUAL(images, 0);
	CHECK_EQUAL(checked(process), 0);
	closes(process);

	tell();
	lie.at_open = exec_again;
	images = 1000;
	failure_to_open(-EAGAIN);
	CHECK_EQUAL(images, 1000 - 2 * 16);

	tell();
	lie.at_open = dead_at_first;
	dead = 5;
	closes(opened());
	CHECK_EQUAL(dead, 0);
	dead = 1000;
	failure_to_open(-EAGAIN);
	CHECK_EQUAL(lie.rested, 0);

	tell();
	lie.at_open = made_late;
	unfinished = 6; /* three tries */
	process = opened();
	CHECK_EQUAL(checked(process), 0);
	CHECK_EQUAL(lie.rested, 50000 + 100000 + 200000);
	closes(process);
	unfinished = 1000;
	failure_to_open(-EAGAIN);
	CHECK(lie.rested > 100000000 && lie.rested < 200000000);
}

static void those_without_memory(void)
{
	struct pm_process *process;

	tell();
	file(AUXV, "auxv", "");
	file(STAT, "stat", ZOMBIE);
	refuse(PAGEMAP, ESRCH);
	failure_to_open(-ESRCH);
	file(STAT, "stat", ENDING);
	failure_to_open(-ESRCH);
	refuse(AUXV, EACCES); /* its files are root's by now */
	refuse(PAGEMAP, EACCES);
	failure_to_open(-ESRCH);
	file(STAT, "stat", LIVES);
	failure_to_open(-EACCES);
	refuse(STAT, ESRCH);
	failure_to_open(-ESRCH);
	refuse(STAT, EIO);
	failure_to_open(-EACCES);

	tell();
	refuse(PAGEMAP, ENOENT); /* no CONFIG_PROC_PAGE_MONITOR */
	failure_to_open(-ENOENT);
	refuse(STAT, ENOENT);
	failure_to_open(-ESRCH);
	tell();
	refuse(MAPS, EACCES);
	failure_to_open(-EACCES);
	tell();
	lie.error = EIO;
	failure_to_open(-EIO);
	tell();
	file(STAT, "stat", "no parenthesis");
	lie.end = 0;
	failure_to_open(-EIO);

	tell();
	file(AUXV, "auxv", "");
	file(STAT, "stat", KERNEL);
	lie.end = 0; /* before 6.16 its pagemap is a file that reads as empty */
	process = opened();
	CHECK_EQUAL(pm_process_fileno(process), -ENXIO);
	CHECK_EQUAL(checked(process), 0);
	refuse(STAT, ESRCH);
	refuse(AUXV, ESRCH);
	CHECK_EQUAL(checked(process), -ESRCH);
	closes(process);
}

static void pidfds(void)
{
	struct pm_open_options options = { .size = sizeof(options), .pidfd = 5 };
	struct pm_process *process;

	options.flags = PM_OPEN_PIDFD;
	tell();
	CHECK_EQUAL(opens(PID, &options, &process), 0);
	closes(process);
	lie.pidfd_error = EPERM; /* we may not send it a signal, so it is there */
	CHECK_EQUAL(opens(PID, &options, &process), 0);
	closes(process);
	lie.pidfd_error = ESRCH; /* another process has the pid by now */
	CHECK_EQUAL(opens(PID, &options, &process), -ESRCH);
	tell();
	file(FDINFO, "self/fdinfo/5", "pos:\t0\nPid:\t43\n");
	CHECK_EQUAL(opens(PID, &options, &process), -ESRCH);
	file(FDINFO, "self/fdinfo/5", "pos:\t0\nPid:\t0\n"); /* of another namespace */
	CHECK_EQUAL(opens(PID, &options, &process), -ESRCH);
	file(FDINFO, "self/fdinfo/5", "pos:\t0\nflags:\t0\n");
	CHECK_EQUAL(opens(PID, &options, &process), -EBADF);
	refuse(FDINFO, ENOENT);
	CHECK_EQUAL(opens(PID, &options, &process), -EBADF);
	refuse(FDINFO, EMFILE);
	CHECK_EQUAL(opens(PID, &options, &process), -EMFILE);
	options.pidfd = -1;
	CHECK_EQUAL(opens(PID, &options, &process), -EBADF);
	options.flags = 0; /* then it is not looked at */
	CHECK_EQUAL(opens(PID, &options, &process), 0);
	closes(process);
}

int main(void)
{
	arguments();
	one_that_lives();
	places();
	no_descriptors();
	exec_while_opening();
	those_without_memory();
	pidfds();
	return 0;
}
