#error "a header of mts::mts includes zlib.h"
