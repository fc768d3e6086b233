using System.Buffers.Text;
using System.Diagnostics;

namespace RepNoise.Host.Training;

/// <summary>This process's resident size, its largest and its present one, read without allocating where Linux tells them.</summary>
public sealed class PeakMemory : IDisposable
{
    private readonly FileStream? status;
    private readonly byte[] text = new byte[4096];

    public PeakMemory()
    {
        if (File.Exists("/proc/self/status")) status = new FileStream("/proc/self/status", FileMode.Open, FileAccess.Read, FileShare.Read, 0);
    }

    /// <summary>The largest so far, in bytes; 0 where the system does not tell.</summary>
    public long Read() => Read("VmHWM:"u8, process => process.PeakWorkingSet64);

    /// <summary>The present one, in bytes; 0 where the system does not tell.</summary>
    public long ReadResident() => Read("VmRSS:"u8, process => process.WorkingSet64);

    public void Dispose() => status?.Dispose();

    private long Read(ReadOnlySpan<byte> name, Func<Process, long> elsewhere)
    {
        if (status is null)
        {
            using var process = Process.GetCurrentProcess();
            return elsewhere(process);
        }

        status.Position = 0;
        var content = text.AsSpan(0, status.Read(text));
        int at = content.IndexOf(name);
        if (at < 0) return 0;
        content = content[(at + name.Length)..].TrimStart(" \t"u8);
        return Utf8Parser.TryParse(content, out long kilobytes, out _) ? kilobytes * 1024 : 0;
    }
}
