#include "tinyllm/version.h"

namespace tinyllm {

const char* version() {
    return TINYLLM_VERSION;
}

}  // namespace tinyllm
