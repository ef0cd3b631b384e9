// Giving memory back that only the start needed.
#pragma once

// Returns freed heap to the kernel and drops the resident pages of code and constants of every
// loaded library: most of it ran once, in the dynamic loader's relocations and the libraries' own
// initialisation. What is needed again comes back from the page cache by itself.
void memory_trim(void);
