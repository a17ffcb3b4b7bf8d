// The one main of all test programs. Beside doctest's own report it names the tests that were skipped and prints a line
// that `./run test` adds up: "mts-tally: PASSED FAILED SKIPPED".
// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <cstdio>

namespace {

struct Tally : doctest::IReporter {
  explicit Tally(const doctest::ContextOptions&) {}

  void test_case_skipped(const doctest::TestCaseData& test) override {
    if (!test.m_skip) return;  // left out by a command-line filter: not a skip
    ++skipped_;
    std::printf("mts-skipped: %s\n", test.m_name);
  }
  void test_run_end(const doctest::TestRunStats& stats) override {
    std::printf("mts-tally: %u %u %u\n", stats.numTestCasesPassingFilters - stats.numTestCasesFailed,
                stats.numTestCasesFailed, skipped_);
    std::fflush(stdout);
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}

 private:
  unsigned skipped_ = 0;
};

REGISTER_LISTENER("tally", 1, Tally);

}  // namespace
