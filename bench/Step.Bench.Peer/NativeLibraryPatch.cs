using System.Buffers.Binary;

namespace RepNoise.Bench.Peer;

/// <summary>
/// Lets TorchSharp 0.107 load where libstdc++ ends at GLIBCXX_3.4.30 (Debian 12). Its native library lists newer versions as
/// needed, only for <c>std::ios_base_library_init</c>, which is never called; marking those needs weak makes the loader accept it.
/// </summary>
internal static class NativeLibraryPatch
{
    private const uint VersionNeedSection = 0x6ffffffe;
    private const byte Weak = 2;

    public static void Apply()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so");
        byte[] file = File.ReadAllBytes(path);
        if (!MarkWeak(file)) return;
        File.WriteAllBytes(path + ".tmp", file);
        File.Move(path + ".tmp", path, overwrite: true);
    }

    private static bool MarkWeak(byte[] file)
    {
        bool changed = false;
        int headers = Int(file, 0x28), size = Short(file, 0x3A), count = Short(file, 0x3C);
        for (int header = headers; header < headers + count * size; header += size)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(header + 4)) != VersionNeedSection) continue;
            int strings = Int(file, headers + Int(file, header + 0x28) * size + 0x18), need = Int(file, header + 0x18);
            for (int n = Int(file, header + 0x2C); n > 0; n--, need += Int(file, need + 12))
            {
                int entry = need + Int(file, need + 8);
                for (int e = Short(file, need + 2); e > 0; e--, entry += Int(file, entry + 12))
                {
                    var name = file.AsSpan(strings + Int(file, entry + 8));
                    bool tooNew = name.StartsWith("GLIBCXX_3.4.31\0"u8) || name.StartsWith("GLIBCXX_3.4.32\0"u8);
                    if (!tooNew || (file[entry + 4] & Weak) != 0) continue;
                    file[entry + 4] |= Weak;
                    changed = true;
                }
            }
        }

        return changed;
    }

    private static int Int(byte[] file, int at) => BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at));

    private static int Short(byte[] file, int at) => BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(at));
}
