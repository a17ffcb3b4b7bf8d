#pragma once
// Every kernel that a step is made of, beside other libraries' and beside the machine's ceilings: one file a topic.

namespace bench {

void register_ceilings();
void register_products();
void register_convolutions();
void register_primitives();

}  // namespace bench
