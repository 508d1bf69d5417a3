package interop;

import java.util.Arrays;
import org.springframework.boot.SpringApplication;

/** Runs one of the programs, with the rest of the arguments as its properties. */
public class Main {
	public static void main(String[] arguments) {
		var program = arguments[0].equals("resource") ? ResourceApplication.class : LoginApplication.class;
		var properties = Arrays.copyOfRange(arguments, 1, arguments.length);
		try {
			var environment = SpringApplication.run(program, properties).getEnvironment();
			System.out.println("listening on http://127.0.0.1:" + environment.getProperty("local.server.port"));
		} catch (RuntimeException failed) { // which Spring has logged, but threads of the server may go on
			System.exit(1);
		}
	}
}
