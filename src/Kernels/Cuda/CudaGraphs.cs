namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Captures stretches of a stream's launches and submits each as one graph. A stretch is captured anew every time, for grids and
/// parameters follow from the batch, and an executable graph that its name has is updated to it: the one of as many kernels, since a
/// chain's shape is its length. Where there is none, or the driver refuses the update, one is made.
/// <para>Only kernels come into a graph. Before anything else that touches the stream or the device's memory, <see cref="Interrupt"/>
/// submits what was captured, and the rest of the stretch is queued directly: uploads, waits and growing scratch memory are right without
/// their callers knowing of captures, and rare within them. The first stretch of a name is queued directly, since it is the one that loads
/// kernels and takes scratch memory.</para>
/// </summary>
internal sealed class CudaGraphs : IDisposable
{
    /// <summary>
    /// Executable graphs that a name keeps, the last ones used. Batches differ in how many products are split and in how many pieces logits come:
    /// four pairs with answers of 1 to 6 sentences had 6 lengths in 20 steps. More would save instantiations of rare ones and cost memory of the device.
    /// </summary>
    private const int MostExecutables = 8;

    private readonly string deviceName;
    private readonly CudaDriver driver;
    private readonly CudaGraphCalls calls;
    private readonly nint stream;
    private readonly Dictionary<string, List<Executable>> executables = []; // the last used comes last
    private string? name;
    private int launches;
    private bool isCapturing;
    private bool isSpoiled;
    private long launched;
    private long instantiated;
    private long interrupted;

    /// <param name="deviceName">Named in errors.</param>
    /// <param name="driver">Describes errors.</param>
    /// <param name="calls">The driver's entry points.</param>
    /// <param name="stream">The stream that is captured.</param>
    public CudaGraphs(string deviceName, CudaDriver driver, CudaGraphCalls calls, nint stream) =>
        (this.deviceName, this.driver, this.calls, this.stream) = (deviceName, driver, calls, stream);

    /// <summary>What was done so far.</summary>
    public CaptureCounts Counts => new(launched, instantiated, interrupted);

    /// <summary>The driver's calls for graphs.</summary>
    /// <param name="deviceName">Named in errors.</param>
    /// <param name="find">Address of an entry point, 0 for none.</param>
    /// <exception cref="DeviceException">It has not all of them.</exception>
    public static CudaGraphCalls CallsOf(string deviceName, Func<string, nint> find) => CudaGraphCalls.Create(find, out string missing)
        ?? throw new DeviceException(deviceName, $"the driver has no {missing}, which CUDA graphs take", "Update the NVIDIA driver to 525 or later, or leave CUDA graphs off");

    /// <summary>Begins a stretch; false where it is within another one.</summary>
    public bool Begin(string stretch)
    {
        if (name is not null) return false;
        bool isFirst = executables.TryAdd(stretch, []);
        if (!isFirst) Check(calls.Begin(stream), "cuStreamBeginCapture", stretch);
        (name, isCapturing, isSpoiled, launches) = (stretch, !isFirst, false, 0);
        return true;
    }

    /// <summary>A kernel was given to the stream.</summary>
    /// <param name="status">What the driver said; an error is the caller's to throw.</param>
    public void NoteLaunch(int status)
    {
        if (!isCapturing) return;
        launches++;
        isSpoiled |= status != 0;
    }

    /// <summary>Something comes that cannot be captured.</summary>
    public void Interrupt()
    {
        if (!isCapturing) return;
        interrupted++;
        Submit();
    }

    /// <summary>Ends the stretch.</summary>
    public void End()
    {
        try
        {
            if (isCapturing) Submit();
        }
        finally
        {
            name = null;
        }
    }

    public void Dispose()
    {
        foreach (var executable in executables.Values.SelectMany(kept => kept)) calls.DestroyExecutable(executable.Handle);
        executables.Clear();
    }

    private void Submit()
    {
        isCapturing = false;
        int status = calls.End(stream, out nint graph);
        try
        {
            // The launch that failed has told so, or is about to.
            if (isSpoiled) return;
            Check(status, "cuStreamEndCapture", name!);
            if (launches > 0) Launch(graph);
        }
        finally
        {
            if (graph != 0) calls.DestroyGraph(graph);
        }
    }

    private void Launch(nint graph)
    {
        var kept = executables[name!];
        int place = kept.FindIndex(executable => executable.Launches == launches);
        var executable = place < 0 ? default : kept[place];
        if (place >= 0) kept.RemoveAt(place);
        if (place < 0 || !Update(executable.Handle, graph))
        {
            Check(calls.Instantiate(graph, out nint made), "cuGraphInstantiateWithFlags", name!);
            executable = new Executable(launches, made);
            instantiated++;
        }

        kept.Add(executable);
        Check(calls.Launch(executable.Handle, stream), "cuGraphLaunch", name!);
        launched++;
        if (kept.Count <= MostExecutables) return;
        calls.DestroyExecutable(kept[0].Handle);
        kept.RemoveAt(0);
    }

    /// <summary>False where another executable has to take its place; it is then gone.</summary>
    private bool Update(nint executable, nint graph)
    {
        int status = calls.Update(executable, graph);
        if (status == 0) return true;
        calls.DestroyExecutable(executable);
        if (status != CudaGraphCalls.UpdateFailure) Check(status, "cuGraphExecUpdate", name!);
        return false;
    }

    private void Check(int status, string call, string stretch)
    {
        if (status != 0)
            throw new DeviceException(deviceName, $"{call} of the {stretch}: {driver.Describe(status)}", "Leave CUDA graphs off, and report it");
    }

    /// <summary>A graph that can be launched, and its number of kernels.</summary>
    private readonly record struct Executable(int Launches, nint Handle);
}
