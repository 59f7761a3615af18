#include "kernels/backend.h"
#include "tinyllm/error.h"

namespace tinyllm {

std::unique_ptr<Backend> make_cpu_backend(const BackendOptions&) {
    throw Error(ErrorKind::unsupported, "device cpu: this build has only the reference backend (--device ref)");
}

}  // namespace tinyllm
