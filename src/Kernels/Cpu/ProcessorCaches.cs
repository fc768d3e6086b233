using System.Globalization;

namespace RepNoise.Kernels.Cpu;

/// <summary>Sizes of this processor's caches, as Linux tells them.</summary>
internal static class ProcessorCaches
{
    private const string Folder = "/sys/devices/system/cpu/cpu0/cache";

    // Where nobody tells: the least of the machines that AVX-512 runs on.
    private const long UsualSecondLevelBytes = 1 << 20;

    /// <summary>The cache that a core has to itself behind its first one.</summary>
    public static long SecondLevelBytes { get; } = Sizes().FirstOrDefault(cache => cache.Level == 2).Bytes is > 0 and var bytes ? bytes : UsualSecondLevelBytes;

    /// <summary>The largest cache; 0 where that is not known.</summary>
    public static long LastLevelBytes { get; } = Sizes().Select(cache => cache.Bytes).DefaultIfEmpty().Max();

    /// <summary>Sizes are written as "kilobytes K".</summary>
    private static IEnumerable<(int Level, long Bytes)> Sizes()
    {
        if (!Directory.Exists(Folder)) yield break;
        foreach (string index in Directory.EnumerateDirectories(Folder, "index*"))
        {
            if (Number(index, "level") is { } level && Number(index, "size") is { } kilobytes) yield return ((int)level, kilobytes << 10);
        }
    }

    private static long? Number(string folder, string name)
    {
        string file = Path.Combine(folder, name);
        return File.Exists(file) && long.TryParse(File.ReadAllText(file).Trim().TrimEnd('K'), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : null;
    }
}
