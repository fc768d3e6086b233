using System.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>Seconds of one call over many samples.</summary>
/// <param name="Median">Half of the samples took less.</param>
/// <param name="P20">A fifth took less.</param>
/// <param name="P80">A fifth took more.</param>
/// <param name="Samples">Number of samples.</param>
/// <param name="CallsPerSample">Calls that a sample is the mean of, so that a clock's step and a wait for the device weigh little.</param>
internal sealed record Timing(double Median, double P20, double P80, int Samples, int CallsPerSample)
{
    private const double LeastSampleSeconds = 1e-3;
    private const int LeastSamples = 5;
    private const int WarmUpCalls = 3;

    /// <summary>
    /// Calls until caches, clocks, sleeping threads and the just-in-time compiler have settled; returns the mean of the later half.
    /// </summary>
    public static double WarmUp(Device device, Action run, double seconds)
    {
        var all = Stopwatch.StartNew();
        int calls = 0, late = 0;
        double lateStart = 0;
        while (calls < WarmUpCalls || all.Elapsed.TotalSeconds < seconds)
        {
            if (late == 0 && calls > 0 && all.Elapsed.TotalSeconds >= seconds / 2) (late, lateStart) = (calls, all.Elapsed.TotalSeconds);
            run();
            device.Synchronize();
            calls++;
        }

        return late == 0 ? all.Elapsed.TotalSeconds / calls : (all.Elapsed.TotalSeconds - lateStart) / (calls - late);
    }

    /// <summary>Samples for about this long, at least five of them.</summary>
    /// <param name="device">Waited for at the end of every sample.</param>
    /// <param name="run">One call.</param>
    /// <param name="callSeconds">What a call takes, from <see cref="WarmUp"/>.</param>
    /// <param name="seconds">How long to sample.</param>
    /// <param name="stop">Ends the sampling early, once there is a sample.</param>
    public static Timing For(Device device, Action run, double callSeconds, double seconds, CancellationToken stop)
    {
        int calls = (int)Math.Clamp(LeastSampleSeconds / Math.Max(callSeconds, 1e-9), 1, 1e6);
        var samples = new List<double>();
        var all = Stopwatch.StartNew();
        while ((samples.Count < LeastSamples || all.Elapsed.TotalSeconds < seconds) && !(stop.IsCancellationRequested && samples.Count > 0))
        {
            samples.Add(Sample(device, run, calls));
        }

        return Of(samples, calls);
    }

    /// <summary>Exactly this many calls, each a sample.</summary>
    public static Timing Calls(Device device, Action run, int calls, CancellationToken stop)
    {
        var samples = new List<double>(calls);
        while (samples.Count < calls && !(stop.IsCancellationRequested && samples.Count > 0)) samples.Add(Sample(device, run, 1));
        return Of(samples, 1);
    }

    internal static Timing Of(List<double> samples, int calls)
    {
        samples.Sort();
        return new Timing(At(0.5), At(0.2), At(0.8), samples.Count, calls);

        double At(double share) => samples[(int)Math.Round(share * (samples.Count - 1))];
    }

    private static double Sample(Device device, Action run, int calls)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++) run();
        device.Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }
}
