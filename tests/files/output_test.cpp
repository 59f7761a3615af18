// Output appears whole or not at all, and the system's reason for a failure is passed on.
#include <sys/stat.h>

#include "engine/gguf.h"
#include "engine/mapped_file.h"
#include "engine/output_file.h"
#include "files/support.h"

namespace tinyllm {
namespace {

std::size_t n_files(const TemporaryFolder& folder) {
    const auto entries = std::filesystem::directory_iterator(folder.path());
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

TEST(OutputFile, AppearsOnCommit) {
    const TemporaryFolder folder;
    write_bytes(folder / "a", "old");
    {
        OutputFile file(folder / "a");
        file.write(bytes_of("new"));
        EXPECT_EQ(read_bytes(folder / "a"), "old");
        file.commit();
    }
    EXPECT_EQ(read_bytes(folder / "a"), "new");
    EXPECT_EQ(n_files(folder), 1u);
}

TEST(OutputFile, LeavesNothingWithoutCommit) {
    const TemporaryFolder folder;
    { OutputFile(folder / "a").write(bytes_of("x")); }
    EXPECT_EQ(n_files(folder), 0u);
}

TEST(OutputFile, NamesPathAndReason) {
    const TemporaryFolder folder;
    expect_error(ErrorKind::runtime, {"absent/a", "No such file"},
                 [&] { OutputFile file(folder / "absent/a"); });
    expect_error(ErrorKind::runtime, {folder.path(), "directory"}, [&] { OutputFile file(folder.path()); });
}

TEST(OutputFile, UnwritableFolder) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
    const TemporaryFolder folder;
    ::chmod(folder.path().c_str(), 0500);
    expect_error(ErrorKind::runtime, {"Permission denied"}, [&] { OutputFile file(folder / "a"); });
    ::chmod(folder.path().c_str(), 0700);
}

TEST(GgufWriter, FullDisk) {
    if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full";
    GgufWriter writer;
    writer.set_string("a", "b");
    expect_error(ErrorKind::runtime, {"/dev/full", "No space left"}, [&] { writer.write("/dev/full"); });
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(GgufWriter, AFailingTensorLeavesNothing) {
    const TemporaryFolder folder;
    GgufWriter writer;
    writer.add_tensor("t", DType::f32, {2},
                      []() -> std::vector<std::byte> { throw Error(ErrorKind::corrupt, "NaN"); });
    expect_error(ErrorKind::corrupt, {"NaN"}, [&] { writer.write(folder / "a.gguf"); });
    EXPECT_EQ(n_files(folder), 0u);
}

TEST(MappedFile, MapsReleasesAndMoves) {
    const TemporaryFolder folder;
    const std::string text(100000, 'x');
    MappedFile file(write_bytes(folder / "a", text));
    file.will_need(file.bytes());
    file.release(file.bytes().subspan(5, 90000));
    MappedFile moved = std::move(file);
    EXPECT_TRUE(file.bytes().empty());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(moved.bytes().data()), moved.bytes().size()), text);
    EXPECT_TRUE(MappedFile(write_bytes(folder / "b", "")).bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNoFile) {
    const TemporaryFolder folder;
    expect_error(ErrorKind::not_found, {"a", "No such file"}, [&] { MappedFile file(folder / "a"); });
    expect_error(ErrorKind::not_found, {"folder"}, [&] { MappedFile file(folder.path()); });
    expect_error(ErrorKind::not_found, {"device"}, [&] { MappedFile file("/dev/zero"); });
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    expect_error(ErrorKind::not_found, {"pipe"}, [&] { MappedFile file(folder / "pipe"); });
}

}  // namespace
}  // namespace tinyllm
