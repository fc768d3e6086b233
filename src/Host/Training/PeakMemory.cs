using System.Buffers.Text;
using System.Diagnostics;

namespace RepNoise.Host.Training;

/// <summary>The largest resident size this process has had, read without allocating where Linux tells it (VmHWM).</summary>
public sealed class PeakMemory : IDisposable
{
    private readonly FileStream? status;
    private readonly byte[] text = new byte[4096];

    public PeakMemory()
    {
        if (File.Exists("/proc/self/status")) status = new FileStream("/proc/self/status", FileMode.Open, FileAccess.Read, FileShare.Read, 0);
    }

    /// <summary>Bytes; 0 where the system does not tell.</summary>
    public long Read()
    {
        if (status is null)
        {
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }

        status.Position = 0;
        var content = text.AsSpan(0, status.Read(text));
        int at = content.IndexOf("VmHWM:"u8);
        if (at < 0) return 0;
        content = content[(at + 6)..].TrimStart(" \t"u8);
        return Utf8Parser.TryParse(content, out long kilobytes, out _) ? kilobytes * 1024 : 0;
    }

    public void Dispose() => status?.Dispose();
}
