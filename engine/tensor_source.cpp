#include "engine/tensor_source.h"

#include "engine/checked.h"
#include "engine/fail.h"
#include "engine/printable.h"

namespace tinyllm {

const TensorView* TensorSource::find(std::string_view name) const {
    for (const TensorView& tensor : tensors()) {
        if (tensor.name == name) {
            require_supported(tensor);
            return &tensor;
        }
    }
    return nullptr;
}

void require_supported(const TensorView& tensor) {
    if (tensor.unsupported.empty()) return;
    std::string have;
    for (const DType type : all_dtypes()) {
        if (!have.empty()) have += ", ";
        have += dtype_name(type);
    }
    fail(ErrorKind::unsupported, "{}: tensor {}: type {} is not supported; this build reads {}", tensor.file,
         printable(tensor.name), tensor.unsupported, have);
}

std::int64_t element_count(const TensorView& tensor) {
    return *checked_elements(tensor.shape);  // whoever made the view has checked the product
}

}  // namespace tinyllm
