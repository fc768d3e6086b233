namespace RepNoise.Kernels;

/// <summary>
/// Capture: a device may gather the operations of a stretch and submit them together, as a CUDA graph. Results have the same bits
/// either way, and callers need not know whether it does.
/// </summary>
public abstract partial class Device
{
    /// <summary>
    /// Lets the device gather operations until the result is disposed, which submits them. Stretches within stretches belong to the outer one.
    /// An observer looks at each operation as it runs, so with one nothing is gathered.
    /// </summary>
    /// <param name="name">A constant: what is gathered under one name is expected to be much the same every time.</param>
    public CaptureScope Capture(string name) => Observer is null && BeginCapture(name) ? new CaptureScope(this) : default;

    /// <summary>What was captured so far; null for a device that captures nothing.</summary>
    public virtual CaptureCounts? Captures => null;

    /// <summary>A stretch begins. False where its operations are queued one by one: <see cref="EndCapture"/> is then not called.</summary>
    protected virtual bool BeginCapture(string name) => false;

    /// <summary>The stretch ends.</summary>
    /// <exception cref="DeviceException">What was gathered cannot be submitted.</exception>
    protected internal virtual void EndCapture()
    {
    }
}

/// <summary>Submits on disposal what a device has gathered; the default value does nothing.</summary>
public readonly ref struct CaptureScope
{
    private readonly Device? device;

    internal CaptureScope(Device device) => this.device = device;

    public void Dispose() => device?.EndCapture();
}

/// <summary>How often stretches of operations were captured, and what became of it.</summary>
/// <param name="Launched">Graphs that were submitted.</param>
/// <param name="Instantiated">Those that had to be made for it.</param>
/// <param name="Interrupted">Stretches of which a part was queued directly, because something had to be waited for or allocated.</param>
public readonly record struct CaptureCounts(long Launched, long Instantiated, long Interrupted)
{
    /// <summary>Graphs that took the place of an earlier one's parameters.</summary>
    public long Updated => Launched - Instantiated;
}
