using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RepNoise.Reliability;

/// <summary>
/// A fixed piece of work, done again and again between the measurements of something else on a machine that others use: what it costs in
/// processor time tells how fast the machine is at that moment, and dividing by it takes most of the others out of what was measured.
/// </summary>
internal sealed partial class Calibration
{
    /// <summary>Two matrices and their product fill a first-level cache and a part of the second, as a tiny model's step does.</summary>
    private const int Size = 96;
    private const int Times = 10;
    private const int Warm = 100;

    /// <summary>Linux: the processor time of the thread that asks.</summary>
    private const int ThreadClock = 3;

    private readonly float[] a = [.. Enumerable.Range(0, Size * Size).Select(i => i % 7 - 3f)];
    private readonly float[] b = [.. Enumerable.Range(0, Size * Size).Select(i => i % 5 - 2f)];
    private readonly float[] product = new float[Size * Size];

    private long nanoseconds;
    private int units;

    public Calibration()
    {
        for (int i = 0; i < Warm; i++) Multiply();
    }

    /// <summary>Does a unit of work, some milliseconds, and counts the processor time that it took.</summary>
    public void Work()
    {
        // Once for the caches that whoever ran before has filled.
        Multiply();
        long before = Read(ThreadClock);
        for (int i = 0; i < Times; i++) Multiply();
        nanoseconds += Read(ThreadClock) - before;
        units++;
    }

    /// <summary>Nanoseconds of processor time a unit since the last call.</summary>
    public double Take()
    {
        double result = (double)nanoseconds / units;
        (nanoseconds, units) = (0, 0);
        return result;
    }

    /// <summary>The processor time of all threads of a process, of those that have ended too: the kernel makes a clock's number of the process's.</summary>
    public static long Nanoseconds(int process) => Read((~process << 3) | 2);

    private static long Read(int clock) =>
        GetTime(clock, out var time) == 0 ? time.Seconds * 1_000_000_000 + time.Nanoseconds : throw new InvalidOperationException($"clock {clock} cannot be read");

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Time time);

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private void Multiply()
    {
        for (int row = 0; row < Size; row++)
        {
            for (int column = 0; column < Size; column++)
            {
                float sum = 0;
                for (int k = 0; k < Size; k++) sum += a[row * Size + k] * b[k * Size + column];
                product[row * Size + column] = sum;
            }
        }
    }

    private struct Time
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
