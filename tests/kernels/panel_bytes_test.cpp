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
    // By CpuBackend::layout() without the kernels' name; replace these together with a new kPanelsVersion.
    const std::map<std::string, std::uint64_t> known = {
        {"cpu panels 1, 4 lanes, offset 0", 16331008720287096732u},
        {"cpu panels 1, 4 lanes, offset 0, exact", 8653988467755213597u},
        {"cpu panels 1, 4 lanes, offset 0, signed nibbles", 7716898694268318288u},
        {"cpu panels 1, 4 lanes, offset 0, signed nibbles, exact", 17233647128057280601u},
        {"cpu panels 1, 8 lanes, offset 0", 5065327199154283200u},
        {"cpu panels 1, 8 lanes, offset 0, exact", 17814630746492143889u},
        {"cpu panels 1, 16 lanes, offset 0", 10669128485511839425u},
        {"cpu panels 1, 16 lanes, offset 0, exact", 11667716590597384070u},
        {"cpu panels 1, 16 lanes, offset 128", 17281178780368150737u},
        {"cpu panels 1, 16 lanes, offset 128, exact", 9424384221626506643u},
    };
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
            std::string name = backend->layout();
            name.erase(name.find(", " + isa), isa.size() + 2);
            const auto it = known.find(name);
            if (it == known.end()) {
                ADD_FAILURE() << "{\"" << name << "\", " << print.value() << "u},";
                continue;
            }
            ++compared;
            EXPECT_EQ(print.value(), it->second) << name;
        }
    }
    EXPECT_GT(compared, 0u);
}

}  // namespace
}  // namespace tinyllm::test
