// Which memory is given back to the kernel: what only the start needed, but not what every pass
// does.
#pragma once

// Lets the heap keep what a pass frees: it would shrink and grow with each.
void memory_keep(void);

// Returns freed heap to the kernel and drops the resident pages of code and constants of every
// loaded library: most of it ran once, in the dynamic loader's relocations and the libraries' own
// initialisation. What is needed again comes back from the page cache by itself.
void memory_trim(void);
