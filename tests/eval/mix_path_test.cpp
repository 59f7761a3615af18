// The order in which a mix gets smaller.
#include "tools/mix_path.h"

#include <gtest/gtest.h>

#include "tinyllm/error.h"
#include "tools/mix_search.h"

namespace tinyllm {
namespace {

TEST(MixPath, KeepsTheChoicesWorthTheirBytes) {
    const auto hull = worthwhile({{DType::q4_0, 40, 0.020},
                                  {DType::f16, 160, 0},
                                  {DType::q5_0, 55, 0.019},  // nearly as wrong as q4_0 at more bytes
                                  {DType::q4_1, 50, 0.030},  // larger and worse than q4_0
                                  {DType::q8_0, 85, 0.0001},
                                  {DType::q2_k, 26, 0.1}});
    std::string types;
    for (const MixChoice& choice : hull) types += std::string(dtype_name(choice.type)) + " ";
    EXPECT_EQ(types, "f16 q8_0 q4_0 q2_k ");
}

TEST(MixPath, TheCheapestStepComesFirst) {
    const std::vector<MixChoice> choices = {
        {DType::f16, 160, 0}, {DType::q8_0, 80, 0.001}, {DType::q4_0, 40, 0.1}};
    const std::vector<MixWeight> weights = {{"a", choices, 1}, {"b", choices, 1000}, {"c", choices, 1}};
    const std::vector<MixStep> path = mix_path(weights);
    std::string order;
    std::int64_t saved = 0;
    double last = 0;
    for (const MixStep& step : path) {
        order += weights[step.weight].name + std::to_string(step.choice) + " ";
        saved += step.saved;
        EXPECT_GE(step.cost / static_cast<double>(step.saved), last);
        last = step.cost / static_cast<double>(step.saved);
    }
    EXPECT_EQ(order, "a1 c1 a2 c2 b1 b2 ");
    EXPECT_EQ(saved, 3 * 120);
}

TEST(MixPath, OneTypeLeavesNothingToStepTo) {
    EXPECT_TRUE(mix_path({{"a", {{DType::f16, 160, 0}}, 1}}).empty());
}

TEST(MixPath, TargetSizesInBytesAndShares) {
    EXPECT_EQ(parse_target_size("60M", 1), 60000000);
    EXPECT_EQ(parse_target_size("1.5KiB", 1), 1536);
    EXPECT_EQ(parse_target_size("4096", 1), 4096);
    EXPECT_EQ(parse_target_size("0.25", 1000), 1000);
    for (const char* wrong : {"", "M", "60X", "0", "-3", "0.25M5", "nan", "inf"}) {
        EXPECT_THROW(parse_target_size(wrong, 1000), Error) << wrong;
    }
}

}  // namespace
}  // namespace tinyllm
