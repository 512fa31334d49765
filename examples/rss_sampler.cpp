/*
 * A thread that samples its own process in the background, as profilers of memory do.
 *
 *     c++ -std=c++17 -pthread rss_sampler.cpp $(pkg-config --cflags --libs pagemap)
 *     ./a.out [HZ [MIB [ROUNDS]]]
 *
 * What a profiler calls the resident size is the kernel's VmRSS, which leaves out hugetlb: so both
 * are sampled. The program computes for ROUNDS, writes to MIB of memory midway, and tells what it
 * saw. HZ of 0 is for comparison: no sampler.
 */
#include <pagemap.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <time.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Sample {
	Clock::time_point time;
	std::uint64_t rss;     // bytes
	std::uint64_t hugetlb; // bytes; 0 too where the kernel does not tell
};

[[noreturn]] void fail(const char *what, std::int64_t error)
{
	throw std::runtime_error(std::string(what) + ": " +
				 pm_strerror(static_cast<std::int32_t>(error)));
}

// Opened and closed with the object; all errors are exceptions.
class Sampler {
public:
	Sampler()
	{
		std::int32_t error = pm_process_open(getpid(), nullptr, &process_);
		if (error)
			fail("cannot open this process", error);
		error = pm_sampler_open(process_, PM_AMOUNT_RSS | PM_AMOUNT_HUGETLB, &sampler_);
		if (error) {
			pm_process_close(process_);
			fail("cannot sample this process", error);
		}
	}
	Sampler(const Sampler &) = delete;
	Sampler &operator=(const Sampler &) = delete;
	~Sampler()
	{
		pm_sampler_close(sampler_);
		pm_process_close(process_);
	}

	Sample sample()
	{
		pm_amounts amounts{};
		amounts.size = sizeof(amounts);
		const std::int32_t error = pm_sampler_sample(sampler_, nullptr, 0, &amounts);
		if (error)
			fail("cannot sample this process", error);
		// before Linux 6.7, without rights to PFNs, VmRSS is all there is: it costs less, too
		if (!(amounts.known & PM_AMOUNT_RSS)) {
			const std::int64_t rss = pm_sampler_rss(sampler_);
			if (rss < 0)
				fail("cannot read the resident size", rss);
			amounts.rss = static_cast<std::uint64_t>(rss);
		}
		return { Clock::now(), amounts.rss, amounts.hugetlb };
	}

private:
	pm_process *process_ = nullptr;
	pm_sampler *sampler_ = nullptr;
};

// Samples from its beginning, which waits for the first one, to its end, which takes a last one.
class BackgroundThread {
public:
	explicit BackgroundThread(unsigned hz) : period_(std::chrono::nanoseconds(1000000000 / hz))
	{
		samples_.reserve(1 << 16); // so that sampling does not allocate
		thread_ = std::thread([this] { run(); });
		std::unique_lock<std::mutex> lock(mutex_);
		changed_.wait(lock, [this] { return !samples_.empty() || failed_; });
	}
	BackgroundThread(const BackgroundThread &) = delete;
	BackgroundThread &operator=(const BackgroundThread &) = delete;
	~BackgroundThread() { stop(); }

	// The samples; a second call gives the same.
	const std::vector<Sample> &stop()
	{
		{
			const std::lock_guard<std::mutex> lock(mutex_);
			stopped_ = true;
		}
		changed_.notify_all();
		if (thread_.joinable())
			thread_.join();
		return samples_;
	}

private:
	void run()
	{
		try {
			Sampler sampler;
			auto due = Clock::now() + period_;
			for (bool last = false; !last; due += period_) {
				const Sample sample = sampler.sample();
				std::unique_lock<std::mutex> lock(mutex_);
				last = stopped_;
				samples_.push_back(sample);
				changed_.notify_all();
				changed_.wait_until(lock, due, [this] { return stopped_; });
			}
		} catch (const std::exception &error) {
			std::fprintf(stderr, "rss_sampler: %s\n", error.what());
			const std::lock_guard<std::mutex> lock(mutex_);
			failed_ = true;
			changed_.notify_all();
		}
	}

	const std::chrono::nanoseconds period_;
	std::mutex mutex_;
	std::condition_variable changed_;
	bool stopped_ = false, failed_ = false;
	std::vector<Sample> samples_;
	std::thread thread_;
};

// The processor time of this thread, which others who keep the processors busy do not lengthen.
double own_seconds()
{
	timespec time{};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::uint64_t compute(std::uint64_t rounds)
{
	std::uint64_t number = rounds;

	while (rounds--)
		number = number * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return number;
}

unsigned long argument(int argc, char **argv, int number, unsigned long usual)
{
	return argc > number ? std::strtoul(argv[number], nullptr, 10) : usual;
}

} // namespace

int main(int argc, char **argv)
{
	const auto hz = static_cast<unsigned>(argument(argc, argv, 1, 100));
	const std::size_t bytes = argument(argc, argv, 2, 64) << 20;
	const std::uint64_t rounds = argument(argc, argv, 3, 200000000);
	std::vector<char> memory;
	std::vector<Sample> samples;

	std::uint64_t number = 0;
	double seconds = 0, own = 0;
	{
		std::optional<BackgroundThread> thread;
		if (hz)
			thread.emplace(hz);
		memory.assign(bytes, 1);
		const auto began = Clock::now();
		own = own_seconds();
		number = compute(rounds);
		own = own_seconds() - own;
		seconds = std::chrono::duration<double>(Clock::now() - began).count();
		if (thread)
			samples = thread->stop();
	}
	if (hz && samples.size() < 2)
		return 1;
	if (!hz)
		samples.push_back(Sampler().sample());
	std::printf("seconds %.6f\nown_seconds %.6f\nsamples %zu\nrss_first %llu\nrss_last %llu\nhugetlb_last %llu\n"
		    "number %llu\n",
		    seconds, own, samples.size(), static_cast<unsigned long long>(samples.front().rss),
		    static_cast<unsigned long long>(samples.back().rss),
		    static_cast<unsigned long long>(samples.back().hugetlb),
		    static_cast<unsigned long long>(number));
	return memory.size() == bytes ? 0 : 1;
}
