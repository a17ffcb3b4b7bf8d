#pragma once
// The plain step and the step with selection: one file a topic.

namespace bench {

void register_errors();
void register_cases();
void register_threads();
void register_sweep();

}  // namespace bench
