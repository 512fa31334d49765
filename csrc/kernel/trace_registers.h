/*
 * The registers of a thread that makes a system call. A machine whose registers do not stand
 * here has no PM_TRACE_WORKS, and nothing is traced on it.
 */
#ifndef PM_TRACE_REGISTERS_H
#define PM_TRACE_REGISTERS_H

#if defined(__x86_64__) && defined(__LP64__)

#include <stdint.h>
#include <sys/user.h>

#define PM_TRACE_WORKS 1

/* The instruction `syscall`. */
#define PM_TRACE_INSTRUCTION { 0x0f, 0x05 }

struct pm_trace_registers {
	struct user_regs_struct all; /* as the kernel lays them out: NT_PRSTATUS */
};

static inline uint64_t pm_trace_position(const struct pm_trace_registers *registers)
{
	return registers->all.rip;
}

static inline void pm_trace_move(struct pm_trace_registers *registers, uint64_t position)
{
	registers->all.rip = position;
}

/* Whether the thread is in a system call, of its own if it is stopped. */
static inline int pm_trace_in_call(const struct pm_trace_registers *registers)
{
	return (int64_t)registers->all.orig_rax >= 0;
}

static inline int64_t pm_trace_returned(const struct pm_trace_registers *registers)
{
	return (int64_t)registers->all.rax;
}

/*
 * Make them those of a thread that is about to make a call. orig_rax tells the kernel which
 * call is to be restarted when a thread goes on: none, until it has its own registers back.
 */
static inline void pm_trace_aim(struct pm_trace_registers *registers, uint64_t at, uint64_t number,
				uint64_t argument)
{
	registers->all.rip = at;
	registers->all.rax = number;
	registers->all.rdi = argument;
	registers->all.orig_rax = ~UINT64_C(0);
}

/* Of a thread that enters a call: have it make none. */
static inline void pm_trace_skip(struct pm_trace_registers *registers)
{
	registers->all.orig_rax = ~UINT64_C(0);
}

#endif

#endif
