#include "engine/devices.h"

#include "engine/fail.h"

namespace tinyllm {

std::map<std::string, std::function<std::unique_ptr<Backend>(const BackendOptions&)>>& more_devices() {
    static std::map<std::string, std::function<std::unique_ptr<Backend>(const BackendOptions&)>> devices;
    return devices;
}

std::unique_ptr<Backend> make_device_backend(const ModelOptions& options, std::vector<std::string>& notes) {
    BackendOptions backend;
    backend.threads = options.threads;
    backend.cores = options.cores;
    backend.precision = options.exact ? Precision::exact : Precision::fast;
    if (options.device == "cpu") return make_cpu_backend(backend);
    if (options.device == "ref") return make_ref_backend(backend);
    if (options.device == "cuda") return make_cuda_backend(backend);
    if (options.device == "auto") {
        if (!has_cuda_kernels()) return make_cpu_backend(backend);
        try {
            return make_cuda_backend(backend);
        } catch (const Error& error) {
            // A GPU whose memory others have filled is no better than none.
            if (error.kind() != ErrorKind::device && error.kind() != ErrorKind::out_of_memory &&
                error.kind() != ErrorKind::would_not_fit) {
                throw;
            }
            notes.push_back(fmt::format("device auto: the CPU, because of {}", error.what()));
            return make_cpu_backend(backend);
        }
    }
    if (const auto own = more_devices().find(options.device); own != more_devices().end()) {
        return own->second(backend);
    }
    fail(ErrorKind::usage, "device {}: expected auto, cpu, cuda or ref", options.device);
}

}  // namespace tinyllm
