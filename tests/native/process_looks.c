/*
 * A process that was opened is looked at: after exec, exit, the end of its main thread, a loss of
 * our rights, and in a child of fork; and what is found out about it.
 */
#include "process_files.h"

static void images_of_all_sizes(void)
{
	static char huge[1 << 20];
	struct pm_process *process;

	tell();
	file(AUXV, "auxv", "");
	process = opened();
	CHECK_EQUAL(checked(process), 0);
	file(AUXV, "auxv", "x");
	CHECK_EQUAL(checked(process), -ESTALE);
	closes(process);

	tell();
	memset(huge, 'x', sizeof(huge));
	files[AUXV].bytes = huge;
	files[AUXV].size = sizeof(huge);
	process = opened();
	CHECK_EQUAL(checked(process), 0);
	huge[PM_TASK_IMAGE - 1] = 'y';
	CHECK_EQUAL(checked(process), -ESTALE);
	files[AUXV].size = 5;
	CHECK_EQUAL(checked(process), -ESTALE);
	closes(process);
}

static void what_became_of_it(void)
{
	struct pm_process *process;

	tell();
	process = opened();
	file(AUXV, "auxv", "a child of vfork called exec"); /* and its parent has the memory */
	CHECK_EQUAL(checked(process), -ESTALE);
	lie.end = 0;
	CHECK_EQUAL(checked(process), -ESTALE);
	refuse(AUXV, ESRCH);
	CHECK_EQUAL(checked(process), -ESRCH);
	lie.end = PAGES;
	CHECK_EQUAL(checked(process), -ESRCH);
	refuse(AUXV, EACCES); /* our rights were dropped */
	CHECK_EQUAL(checked(process), 0);
	lie.end = 0; /* or it was a program of another user's */
	CHECK_EQUAL(checked(process), -ESTALE);
	file(STAT, "stat", ENDING);
	CHECK_EQUAL(checked(process), -ESRCH);
	lie.error = EIO;
	CHECK_EQUAL(checked(process), -EIO);
	closes(process);
}

/* Entries of a folder as getdents64 gives them. */
static size_t list(const char *const *names, char *out)
{
	size_t size = 0;

	for (; *names; names++) {
		const uint16_t whole = (uint16_t)((19 + strlen(*names) + 1 + 7) / 8 * 8);

		memset(out + size, 0, whole);
		memcpy(out + size + 16, &whole, 2);
		memcpy(out + size + 19, *names, strlen(*names) + 1);
		size += whole;
	}
	return size;
}

/* pthread_exit in main: the memory is shown below a thread that lives, the lowest. */
static void main_thread_has_ended(void)
{
	const char *const names[] = { ".", "..", "42", "50", "43", "9999999999", "1x", NULL };
	char *entries = exactly(7 * 32);
	struct pm_process *process;
	size_t size;

	tell();
	size = list(names, entries);
	file(AUXV, "auxv", "");
	file(STAT, "stat", ZOMBIE);
	refuse(PAGEMAP, ESRCH);
	files[TASK].bytes = entries;
	files[TASK].size = size;
	file(AUXV_2, "task/43/auxv", "the image");
	files[PAGEMAP_2] = (struct lie_named){ .name = "task/43/pagemap" };
	file(MAPS_2, "task/43/maps", "");
	file(STAT_2, "task/43/stat", LIVES);
	process = opened();
	CHECK_EQUAL(process->thread, 43);
	CHECK_EQUAL(pm_process_fileno(process), LIE_NAMED + PAGEMAP_2);
	CHECK_EQUAL(checked(process), 0);
	closes(process);

	process = opened();
	files[STAT_2].name = "task/50/stat"; /* that thread ends, and another is left */
	files[AUXV_2].name = "task/50/auxv";
	CHECK_EQUAL(checked(process), 0);
	files[AUXV_2].bytes = "another image";
	CHECK_EQUAL(checked(process), -ESTALE);
	lie.end = 0;
	refuse(STAT_2, ESRCH);
	CHECK_EQUAL(checked(process), -ESRCH);
	closes(process);

	/* entries that no kernel gives */
	for (unsigned broken = 0; broken < size; broken++) {
		list(names, entries);
		entries[broken] = (char)0xff;
		files[TASK].size = size - broken % 40;
		failure_to_open(-ESRCH);
	}
	refuse(TASK, EACCES);
	failure_to_open(-ESRCH);
	free(entries);
}

/* Of oneself, in a child of fork: by the byte that fork clears, or by the pid. */
static void forks(void)
{
	struct pm_open_options options = { .size = sizeof(options), .procfs = "/elsewhere" };
	struct pm_process *process;

	tell();
	file(OWN, "../self/task/42", ""); /* that proc says so, not the number */
	lie.pid = PID;
	process = opened();
	CHECK(!process->mark && !process->owner); /* what says so is no proc */
	closes(process);
	lie.fs_type = 0x9fa0;
	process = opened();
	CHECK(process->mark != NULL);
	CHECK_EQUAL(checked(process), 0);
	*(char *)process->mark = 0;
	CHECK_EQUAL(checked(process), -ECHILD);
	CHECK_EQUAL(pm_process_fileno(process), -ECHILD);
	closes(process);
	CHECK_EQUAL(lie.mapped, lie.unmapped);

	lie.madvise_error = EINVAL; /* before Linux 4.14 */
	process = opened();
	CHECK(!process->mark);
	CHECK_EQUAL(checked(process), 0);
	lie.pid = OTHER;
	CHECK_EQUAL(checked(process), -ECHILD);
	closes(process);
	CHECK_EQUAL(lie.mapped, lie.unmapped);

	CHECK_EQUAL(opens(PID, &options, &process), 0);
	lie.pid = PID;
	CHECK_EQUAL(checked(process), -ECHILD);
	closes(process);

	refuse(OWN, ENOENT); /* our number in a proc where that is another's */
	CHECK_EQUAL(opens(PID, &options, &process), 0);
	lie.pid = OTHER;
	CHECK_EQUAL(checked(process), 0);
	closes(process);

	refuse(OWN, EMFILE);
	CHECK_EQUAL(opens(PID, NULL, &process), -EMFILE);
}

static void capabilities(void)
{
	struct pm_capabilities found = { .size = sizeof(found) };
	struct pm_process *process;

	tell();
	process = opened();
	lie.marked_entry = lie.own_entry | PM_BIT(PM_GUARD_BIT);
	lie.ioctl_error = ENOTTY;
	errno = ERRNO;
	CHECK_EQUAL(pm_process_capabilities(process, &found), 0);
	CHECK_EQUAL(errno, ERRNO);
	CHECK_EQUAL(found.size, sizeof(found));
	CHECK_EQUAL(found.page_shift, 12);
	CHECK_EQUAL(found.end, PAGES << 12);
	CHECK_EQUAL(found.can & ~found.known, 0);
	CHECK(found.can & PM_CAN_PFNS);
	CHECK_EQUAL(found.known & PM_CAN_QUERY_MAPS, PM_CAN_QUERY_MAPS);
	CHECK_EQUAL(found.can & (PM_CAN_QUERY_MAPS | PM_CAN_SCAN_GUARD | PM_CAN_TRACK), 0);
	for (uint32_t size = 0; size < sizeof(found); size++) {
		found.size = size;
		CHECK_EQUAL(pm_process_capabilities(process, &found), -EINVAL);
	}
	CHECK_EQUAL(pm_process_capabilities(process, NULL), -EINVAL);
	lie.end = 0;
	refuse(AUXV, ESRCH);
	found.size = sizeof(found);
	CHECK_EQUAL(pm_process_capabilities(process, &found), -ESRCH);
	closes(process);
}

int main(void)
{
	images_of_all_sizes();
	what_became_of_it();
	main_thread_has_ended();
	forks();
	capabilities();
	return 0;
}
