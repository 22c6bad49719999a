// What check_symbols.cmake has to reject, to see that it does: two exported symbols, printing,
// aborting.
#include <cstdio>
#include <cstdlib>

void symbols_probe_prints() { std::puts("printed"); }
void symbols_probe_aborts() { std::abort(); }
