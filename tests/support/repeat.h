// How often what is tested with many random cases is repeated.
#pragma once

// full, or one nth of it, but once at least, with TEST_FRACTION=n in the environment: for valgrind,
// under which every step takes fifty times as long.
unsigned repetitions(unsigned full);
