/*
 * A program of tests/native as a fuzz target: what it draws at random is drawn from the
 * input, so that the fuzzer, which sees what code an input reaches, chooses the scenes, the
 * lies of the kernel and the sizes of buffers. Each input is one round of the program, whose
 * naive twins judge it. When the input is used up, what follows it is drawn from a generator
 * that begins where it ended.
 *
 * Programs are compiled with -Dmain=native_main -Drand=draw_rand -DPM_FUZZ.
 */
#ifndef PM_FUZZ
#define PM_FUZZ /* as for the programs: so check.h leaves the rounds to this file */
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../native/check.h"

int native_main(int argc, char **argv);
int draw_rand(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const uint8_t *data;
	size_t left;
	uint64_t state;
	unsigned round;
} input;

/* splitmix64 */
static uint64_t mixed(void)
{
	uint64_t x = input.state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* As rand: 31 bits. Two bytes of the input are the lowest; most of what is drawn is small. */
int draw_rand(void)
{
	uint16_t low;

	if (input.left < sizeof(low))
		return (int)(mixed() >> 33);
	memcpy(&low, input.data, sizeof(low));
	input.data += sizeof(low);
	input.left -= sizeof(low);
	input.state ^= low;
	return (int)((mixed() >> 33 & ~UINT64_C(0xffff)) | low);
}

unsigned round_from(void)
{
	input.round = (unsigned)draw_rand() % 60; /* what rounds differ in, they do so modulo */
	return input.round;
}

unsigned round_to(unsigned usual)
{
	return input.round + (usual > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "native", seed[] = "1";
	char *arguments[] = { name, seed, NULL };

	input.data = data;
	input.left = size;
	input.state = size;
	CHECK_EQUAL(native_main(2, arguments), 0);
	return 0;
}
