using System.Diagnostics;
using System.Globalization;

namespace RepNoise.Host.Tests.Support;

/// <summary>A file system in memory with little room, mounted for a test; only root can.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string path;

    private SmallDisk(string path) => this.path = path;

    /// <summary>Mounts one of at least <paramref name="bytes"/>; null where that is not allowed.</summary>
    public static SmallDisk? Mount(string path, long bytes, bool readOnly = false)
    {
        Directory.CreateDirectory(path);
        string size = string.Create(CultureInfo.InvariantCulture, $"size={(bytes + 4095) / 4096 * 4096}");
        return Run("mount", "-t", "tmpfs", "-o", readOnly ? size + ",ro" : size, "tmpfs", path) ? new SmallDisk(path) : null;
    }

    /// <summary>Gives it room.</summary>
    public void Grow() => Assert.True(Run("mount", "-o", "remount,size=64m", path));

    public void Dispose() => Assert.True(Run("umount", path));

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
