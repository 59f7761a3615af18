#include "tools/monitor/tegrastats.h"

#include <cctype>
#include <charconv>
#include <string>

#include "tools/monitor/rails.h"

namespace tinyllm::monitor {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (std::size_t start = 0; start < line.size();) {
        const std::size_t end = std::min(line.find_first_of(" \t\r\n", start), line.size());
        if (end > start) words.push_back(line.substr(start, end - start));
        start = end + 1;
    }
    return words;
}

/// Takes a number off the front.
std::optional<double> take_number(std::string_view& text) {
    double value = 0;
    std::size_t n = 0;
    while (n < text.size() && n < 18 &&
           (std::isdigit(static_cast<unsigned char>(text[n])) != 0 || text[n] == '.' ||
            (n == 0 && text[n] == '-')))
        ++n;
    // Through a string: from_chars for floating point came late to standard libraries.
    try {
        std::size_t used = 0;
        value = std::stod(std::string(text.substr(0, n)), &used);
        if (used != n || n == 0) return {};
    } catch (const std::exception&) {
        return {};
    }
    text.remove_prefix(n);
    return value;
}

bool take(std::string_view& text, std::string_view prefix) {
    if (text.substr(0, prefix.size()) != prefix) return false;
    text.remove_prefix(prefix.size());
    return true;
}

using Readings = std::vector<std::pair<Channel, double>>;

/// "29%@921", "0%@[305,305]" (a clock per cluster of the GPU), "0%".
bool take_load(std::string_view text, std::optional<double>& load, std::optional<double>& clock) {
    load = take_number(text);
    if (!load || !take(text, "%")) return false;
    *load /= 100;
    if (!take(text, "@")) return text.empty();
    take(text, "[");
    clock = take_number(text);
    return clock.has_value();
}

void add_unit(Readings& readings, const std::string& name, std::string_view text) {
    std::optional<double> load, clock;
    if (!take_load(text, load, clock)) return;
    readings.push_back({{name, Quantity::load}, *load});
    if (clock) readings.push_back({{name, Quantity::clock}, *clock});
}

/// "[52%@1479,off,35%@1479]"
void add_cores(Readings& readings, std::string_view text) {
    if (!take(text, "[") || text.empty() || text.back() != ']') return;
    text.remove_suffix(1);
    double loads = 0, clocks = 0;
    int n = 0, n_clocks = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        std::optional<double> load, clock;
        if (take_load(text.substr(0, end), load, clock)) {
            loads += *load;
            ++n;
            clocks += clock.value_or(0);
            n_clocks += clock.has_value();
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (n > 0) readings.push_back({{"cpu", Quantity::load}, loads / n});
    if (n_clocks > 0) readings.push_back({{"cpu", Quantity::clock}, clocks / n_clocks});
}

/// "CPU@42.5C"; a sensor that is switched off says -256.
bool add_temperature(Readings& readings, std::string_view word) {
    const std::size_t at = word.find('@');
    if (at == std::string_view::npos || at == 0) return false;
    std::string_view text = word.substr(at + 1);
    const auto celsius = take_number(text);
    if (!celsius || text != "C") return false;
    const std::string name(word.substr(0, at));
    // Its figure is a constant 100.
    if (name != "PMIC" && *celsius > -100 && *celsius < 200)
        readings.push_back({{name, Quantity::temperature}, *celsius});
    return true;
}

/// "4702mW/4702mW", "4538/4538" (mW too): now and on average.
std::optional<double> watts(std::string_view text) {
    const auto milliwatts = take_number(text);
    const bool unit = take(text, "mW");
    if (!milliwatts || *milliwatts < 0 || !take(text, "/") || !take_number(text)) return {};
    if (text != (unit ? "mW" : "")) return {};
    return *milliwatts / 1000;
}

/// "2448/7471MB"
std::optional<double> bytes_used(std::string_view text) {
    const auto used = take_number(text);
    if (!used || *used < 0 || !take(text, "/") || !take_number(text) || text != "MB") return {};
    return *used * 1024 * 1024;
}

}  // namespace

std::vector<std::pair<Channel, double>> parse_tegrastats(std::string_view line) {
    Readings readings;
    const std::vector<std::string_view> words = words_of(line);
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (add_temperature(readings, words[i]) || i + 1 == words.size()) continue;
        const std::string name(words[i]);
        const std::string_view value = words[i + 1];
        if (name == "RAM") {
            if (const auto bytes = bytes_used(value))
                readings.push_back({{"ram_used", Quantity::memory}, *bytes});
        } else if (name == "CPU") {
            add_cores(readings, value);
        } else if (name == "GR3D_FREQ" || name == "GR3D") {
            add_unit(readings, "gpu", value);
        } else if (name == "EMC_FREQ") {
            add_unit(readings, "emc", value);
        } else if (std::isalpha(static_cast<unsigned char>(name.front())) != 0) {
            if (const auto power = watts(value))
                readings.push_back({{name, Quantity::power, rail_covers(name)}, *power});
        }
    }
    return readings;
}

}  // namespace tinyllm::monitor
