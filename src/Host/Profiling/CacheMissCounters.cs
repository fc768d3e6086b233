using System.Runtime.InteropServices;

namespace RepNoise.Host.Profiling;

/// <summary>
/// Counts events of the threads that compute, through Linux's <c>perf_event_open</c>: the calling thread and the team of the cpu device.
/// Made for misses of the last-level cache, each of which brings a line from memory; what goes back to memory, and on most processors what
/// the prefetchers bring, is not among them.
/// </summary>
internal sealed partial class CacheMissCounters : IDisposable
{
    private const string TeamName = "cpu kernels"; // as ThreadTeam names its threads
    private const string ParanoidFile = "/proc/sys/kernel/perf_event_paranoid";
    private const int LineBytes = 64;

    // linux/perf_event.h: types, events of the processor, and the flags exclude_kernel and exclude_hv, which need no privilege.
    private const uint Hardware = 0;
    private const ulong LastLevelMisses = 3;
    private const ulong UserOnly = 0x60;

    private const int NoSuchEntry = 2, NotPermitted = 1, AccessDenied = 13, NoSuchCall = 38;

    private readonly List<int> files = [];
    private readonly int unit;

    private CacheMissCounters(int unit) => this.unit = unit;

    /// <summary>Misses of the last-level cache from now on, or null with the reason, for people.</summary>
    public static CacheMissCounters? Open(out string reason) => Open(Hardware, LastLevelMisses, LineBytes, out reason);

    /// <summary>Counts another event.</summary>
    /// <param name="type">Of linux/perf_event.h.</param>
    /// <param name="config">The event within the type.</param>
    /// <param name="unit">Bytes that an event stands for.</param>
    /// <param name="reason">Why there is nothing to count, else empty.</param>
    internal static CacheMissCounters? Open(uint type, ulong config, int unit, out string reason)
    {
        reason = "only Linux on x86-64 and Arm64 has perf_event_open";
        long? call = RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => 298, Architecture.Arm64 => 241, _ => null };
        if (!OperatingSystem.IsLinux() || call is not { } number) return null;
        var counters = new CacheMissCounters(unit);
        foreach (int thread in Threads())
        {
            var attributes = new Attributes { Type = type, Size = (uint)Marshal.SizeOf<Attributes>(), Config = config, Flags = UserOnly };
            int file = (int)PerfEventOpen(number, attributes, thread, -1, -1, 0);
            if (file < 0)
            {
                reason = Reason(Marshal.GetLastPInvokeError());
                counters.Dispose();
                return null;
            }

            counters.files.Add(file);
        }

        reason = "";
        return counters;
    }

    /// <summary>Bytes so far, all threads together.</summary>
    public long ReadBytes()
    {
        long sum = 0;
        foreach (int file in files)
        {
            if (Read(file, out long count, sizeof(long)) == sizeof(long)) sum += count;
        }

        return sum * unit;
    }

    public void Dispose()
    {
        foreach (int file in files) _ = Close(file);
        files.Clear();
    }

    /// <summary>What a refusal means and what to do about it.</summary>
    internal static string Reason(int error)
    {
        string setting = File.Exists(ParanoidFile) ? File.ReadAllText(ParanoidFile).Trim() : "unknown";
        return error switch
        {
            NoSuchEntry => "ENOENT, this processor, or the virtual machine on it, has no such counter",
            AccessDenied => $"EACCES, kernel.perf_event_paranoid is {setting} and must be 2 or less",
            NotPermitted => $"EPERM, the system forbids it (kernel.perf_event_paranoid is {setting}; a container may forbid it too)",
            NoSuchCall => "ENOSYS, this kernel has no perf events",
            _ => $"error {error}, {Marshal.GetPInvokeErrorMessage(error)}",
        };
    }

    /// <summary>Numbers of the calling thread, which is 0 to the kernel, and of the team's.</summary>
    private static IEnumerable<int> Threads()
    {
        yield return 0;
        foreach (string folder in Directory.EnumerateDirectories("/proc/self/task"))
        {
            string name = Path.Combine(folder, "comm");
            if (File.Exists(name) && File.ReadAllText(name).StartsWith(TeamName, StringComparison.Ordinal)) yield return int.Parse(Path.GetFileName(folder), null);
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long PerfEventOpen(long number, in Attributes attributes, int thread, int processor, int group, ulong flags);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(int file, out long count, nint bytes);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);

    /// <summary>The first version of struct perf_event_attr, 64 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        public uint Type;
        public uint Size;
        public ulong Config;
        public ulong SamplePeriod;
        public ulong SampleType;
        public ulong ReadFormat;
        public ulong Flags;
        public uint WakeupEvents;
        public uint BreakpointType;
        public ulong BreakpointAddress;
    }
}
