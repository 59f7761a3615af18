// Trees of /proc and /sys as boards have them, in a folder of their own; TINYLLM_SYSFS_ROOT points there for
// as long as one lives. Layouts are those of the kernels named; the figures are made up.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace tinyllm::monitor {

class FakeTree {
  public:
    FakeTree() {
        static int number = 0;
        root_ = std::filesystem::temp_directory_path() /
                ("tinyllm_board_" + std::to_string(::getpid()) + "_" + std::to_string(number++));
        std::filesystem::remove_all(root_);
        std::filesystem::create_directories(root_);
        ::setenv("TINYLLM_SYSFS_ROOT", root_.c_str(), 1);
    }
    ~FakeTree() {
        ::unsetenv("TINYLLM_SYSFS_ROOT");
        std::filesystem::remove_all(root_);
    }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;

    std::filesystem::path path(const std::string& file) const { return root_ / file; }

    void write(const std::string& file, const std::string& text) const {
        std::filesystem::create_directories(path(file).parent_path());
        std::ofstream(path(file), std::ios::binary) << text;
    }
    void remove(const std::string& file) const { std::filesystem::remove_all(path(file)); }
    /// A program that runs.
    void program(const std::string& file, const std::string& script) const {
        write(file, "#!/bin/sh\n" + script);
        std::filesystem::permissions(path(file), std::filesystem::perms::owner_all);
    }

    void thermal_zone(int number, const std::string& type, const std::string& millidegrees) const {
        const std::string folder = "sys/class/thermal/thermal_zone" + std::to_string(number);
        write(folder + "/type", type + "\n");
        write(folder + "/temp", millidegrees + "\n");
    }
    void cpufreq(const std::string& first, const std::string& cores, const std::string& khz) const {
        const std::string folder = "sys/devices/system/cpu/cpufreq/policy" + first;
        write(folder + "/related_cpus", cores + "\n");
        write(folder + "/scaling_cur_freq", khz + "\n");
        write(folder + "/scaling_governor", "schedutil\n");
    }
    void rail(const std::string& folder, int number, const std::string& name, int millivolts,
              int milliamperes) const {
        const std::string n = std::to_string(number);
        write(folder + "/in" + n + "_label", name + "\n");
        write(folder + "/in" + n + "_input", std::to_string(millivolts) + "\n");
        write(folder + "/curr" + n + "_input", std::to_string(milliamperes) + "\n");
    }
    /// What every Linux has.
    void memory() const {
        write("proc/meminfo",
              "MemTotal:        7800000 kB\nMemFree:          900000 kB\nMemAvailable:    5000000 kB\n");
        write("proc/self/status", "Name:\ttinyllm\nVmHWM:\t   30000 kB\nVmRSS:\t   20000 kB\n");
        write("proc/pressure/memory",
              "some avg10=1.50 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
              "total=3\n");
        write("proc/stat", "cpu  100 0 50 800 50 0 0 0 0 0\n");
    }

    /// JetPack 6 (Linux 5.15).
    void orin_nano() const {
        memory();
        write("proc/device-tree/model", std::string("NVIDIA Jetson Orin Nano Developer Kit\0", 38));
        write("proc/device-tree/compatible",
              std::string("nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0", 46));
        const std::string chip = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1";
        write(chip + "/name", "ina3221\n");
        rail(chip, 1, "VDD_IN", 5000, 1000);
        rail(chip, 2, "VDD_CPU_GPU_CV", 5000, 200);
        rail(chip, 3, "VDD_SOC", 5000, 300);
        write(chip + "/in7_label", "sum of shunt voltages\n");
        write(chip + "/in7_input", "3\n");
        thermal_zone(0, "cpu-thermal", "47500");
        thermal_zone(1, "gpu-thermal", "46250");
        thermal_zone(2, "cv0-thermal", "-256000");  // switched off
        thermal_zone(8, "tj-thermal", "48000");
        cpufreq("0", "0 1 2 3", "1510400");
        cpufreq("4", "4 5", "729600");
        write("sys/class/devfreq/17000000.gpu/cur_freq", "624750000\n");
        write("sys/class/devfreq/17000000.gpu/device/load", "530\n");
        write("sys/class/hwmon/hwmon3/name", "soctherm_oc\n");
        write("sys/class/hwmon/hwmon3/oc1_event_cnt", "4\n");
        program("usr/sbin/nvpmodel",
                "echo 'NVPM WARN: fan mode is not set!'\necho 'NV Power Mode: 15W'\necho 0\n");
    }
    /// JetPack 4 (Linux 4.9).
    void jetson_nano() const {
        memory();
        write("proc/device-tree/compatible", std::string("nvidia,jetson-nano\0nvidia,tegra210\0", 35));
        const std::string chip = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0";
        const char* names[] = {"POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"};
        const char* milliwatts[] = {"4538", "402", "1044"};
        for (int i = 0; i < 3; ++i) {
            const std::string n = std::to_string(i);
            write(chip + "/rail_name_" + n, std::string(names[i]) + "\n");
            write(chip + "/in_power" + n + "_input", std::string(milliwatts[i]) + "\n");
        }
        thermal_zone(0, "AO-therm", "51000");
        thermal_zone(1, "CPU-therm", "42500");
        thermal_zone(4, "PMIC-Die", "100000");  // always
        cpufreq("0", "0 1 2 3", "1479000");
        write("sys/class/devfreq/57000000.gpu/cur_freq", "921600000\n");
        write("sys/devices/gpu.0/load", "290\n");
    }
    /// Raspberry Pi OS (Linux 6.6).
    void pi_5() const {
        memory();
        write("proc/device-tree/model", std::string("Raspberry Pi 5 Model B Rev 1.0\0", 31));
        thermal_zone(0, "cpu-thermal", "61450");
        cpufreq("0", "0 1 2 3", "2400000");
        write("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n");
    }
    /// Linux 6.1, RK3588.
    void orange_pi_5() const {
        memory();
        write("proc/device-tree/model", std::string("Orange Pi 5\0", 12));
        const char* zones[] = {"soc-thermal", "bigcore0-thermal", "littlecore-thermal", "gpu-thermal"};
        for (int i = 0; i < 4; ++i) thermal_zone(i, zones[i], std::to_string(55000 + 1000 * i));
        cpufreq("0", "0 1 2 3", "1800000");
        cpufreq("4", "4 5", "2400000");
        cpufreq("6", "6 7", "2400000");
        write("sys/class/devfreq/fb000000.gpu/cur_freq", "300000000\n");
        write("sys/class/devfreq/fb000000.gpu/load", "12@300000000Hz\n");
        write("sys/class/devfreq/dmc/cur_freq", "2112000000\n");
        write("sys/class/thermal/cooling_device0/type", "thermal-cpufreq-0\n");
        write("sys/class/thermal/cooling_device0/cur_state", "0\n");
        write("sys/class/thermal/cooling_device4/type", "pwm-fan\n");
        write("sys/class/thermal/cooling_device4/cur_state", "3\n");
    }
    /// A mini PC with an Intel N100, RAPL readable.
    void n100() const {
        memory();
        write("sys/class/dmi/id/product_name", "LattePanda Mu\n");
        const std::string package = "sys/class/powercap/intel-rapl:0";
        write(package + "/name", "package-0\n");
        write(package + "/max_energy_range_uj", "262143328850\n");
        write(package + "/energy_uj", "1000000000\n");
        write("sys/class/powercap/intel-rapl:0:0/name", "core\n");
        write("sys/class/powercap/intel-rapl:0:0/energy_uj", "400000000\n");
        write("sys/class/powercap/intel-rapl:0:0/max_energy_range_uj", "262143328850\n");
        write("sys/class/powercap/intel-rapl-mmio:0/name", "package-0\n");
        write("sys/class/powercap/intel-rapl-mmio:0/energy_uj", "1000000000\n");
        thermal_zone(0, "x86_pkg_temp", "52000");
        cpufreq("0", "0", "2900000");
        cpufreq("1", "1", "3400000");
        write("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n");
        write("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "7\n");
    }

  private:
    std::filesystem::path root_;
};

}  // namespace tinyllm::monitor
