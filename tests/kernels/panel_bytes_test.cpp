// The bytes of panels are kept in files (engine/packed_cache.h): whoever changes them raises kPanelsVersion,
// so that no file of before is taken for one of now.
#include <map>

#include "engine/fingerprint.h"
#include "kernels/op_cases.h"

namespace tinyllm::test {
namespace {

std::uint64_t print_of(const Backend& backend, const Matrix& matrix) {
    Fingerprint print;
    for (const Strip& strip : matrix.strips)
        print.add(strip.type)
            .add(std::span(strip.data, backend.strip_bytes(strip.type, strip.rows, matrix.cols)));
    return print.value();
}

TEST(PanelBytes, AreThoseOfTheLayoutsName) {
    // By CpuBackend::layout(); replace these together with a new kPanelsVersion.
    const std::map<std::string, std::uint64_t> known = {};
    std::size_t compared = 0;
    for (const std::string& isa : live_isas()) {
        for (const Precision precision : {Precision::fast, Precision::exact}) {
            const auto backend = cpu_backend(isa, 2, precision);
            Fingerprint print;
            for (const DType type : all_dtypes()) {
                Stored stored{{}, std::vector<std::byte>(row_bytes(type, 256) * 40)};
                // Bytes of a fixed pattern with finite scales, not random numbers: those differ by library.
                for (std::size_t i = 0; i < stored.bytes.size(); ++i)
                    stored.bytes[i] = static_cast<std::byte>((i * 37 + i / 251) % 61);
                stored.raw = {.type = type, .rows = 40, .cols = 256, .data = stored.bytes.data()};
                print.add(print_of(*backend, backend->pack({&stored.raw, 1}, nullptr)));
            }
            const auto it = known.find(backend->layout());
            if (it == known.end()) {
                ADD_FAILURE() << "{\"" << backend->layout() << "\", " << print.value() << "u},";
                continue;
            }
            ++compared;
            EXPECT_EQ(print.value(), it->second) << backend->layout();
        }
    }
    EXPECT_GT(compared, 0u);
}

}  // namespace
}  // namespace tinyllm::test
