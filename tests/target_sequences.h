/*
 * Restartable sequences (rseq) that count for each processor, for target_calls.c, which has
 * expect() and the rounds.
 */
#ifndef TARGET_SEQUENCES_H
#define TARGET_SEQUENCES_H

#if defined(__x86_64__) && defined(RSEQ_SIG)
/*
 * Add one to what a processor counts, in a sequence that is begun again whenever another
 * thread ran there meanwhile; 0 where it was. It dwells between load and store.
 */
static int add(uint64_t *counter, uint32_t processor)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	asm goto(".pushsection __rseq_cs, \"aw\"\n\t"
		 ".balign 32\n"
		 "3:\t.long 0, 0\n\t"
		 ".quad 1f, 2f - 1f, 4f\n\t"
		 ".popsection\n\t"
		 "leaq 3b(%%rip), %%rax\n\t"
		 "movq %%rax, 8(%[area])\n"
		 "1:\tcmpl %[processor], 4(%[area])\n\t"
		 "jnz 4f\n\t"
		 "movq (%[counter]), %%rcx\n\t"
		 "movl $5000, %%edx\n"
		 "5:\tdecl %%edx\n\t"
		 "jnz 5b\n\t"
		 "incq %%rcx\n\t"
		 "movq %%rcx, (%[counter])\n"
		 "2:\n\t"
		 ".pushsection __rseq_failure, \"ax\"\n\t"
		 ".byte 0x0f, 0xb9, 0x3d\n\t"
		 ".long 0x53053053\n"
		 "4:\tjmp %l[again]\n\t"
		 ".popsection"
		 :
		 : [area] "r"(area), [processor] "r"(processor), [counter] "r"(counter)
		 : "memory", "cc", "rax", "rcx", "rdx"
		 : again);
	return 1;
again:
	return 0;
}

static uint64_t counters[CPU_SETSIZE * 8]; /* a cache line each */
static atomic_ulong added;

static void *count_in_sequences(void *none)
{
	for (;;) {
		const uint32_t processor = (uint32_t)sched_getcpu();

		if (add(&counters[processor * 8], processor)) {
			added++;
			rounds++;
		}
	}
	return none;
}

static void *sequences(void *none)
{
	cpu_set_t one;
	pthread_t other;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	expect(!sched_setaffinity(0, sizeof(one), &one), "affinity");
	expect(!pthread_create(&other, NULL, count_in_sequences, NULL), "thread");
	return count_in_sequences(none);
}

/* Two at most are between their store and the count of it. */
static void check_sequences(void)
{
	const uint64_t before = added;
	uint64_t sum = 0;

	for (int i = 0; i < CPU_SETSIZE; i++)
		sum += counters[i * 8];
	expect(sum >= before, "sequence");
}
#else
static void *sequences(void *none)
{
	puts("cannot use rseq on this machine");
	_exit(0);
	return none;
}

static void check_sequences(void)
{
}
#endif

#endif
